-- Counts of people, and the rates that boards show most: see dim_kpi. bounced: hard, blocked or soft.
-- opened is empty where no open has a user agent: people cannot be told from machines.
-- One row: a campaign and the audience it was sent to.
-- Key: campaign, audience
SELECT
    campaign,
    audience,
    MIN(sent_on) AS sent_on,
    CAST(SUM(messages) AS BIGINT) AS messages,
    CAST(SUM(sent) AS BIGINT) AS sent,
    CAST(SUM(delivered) AS BIGINT) AS delivered,
    CAST(SUM(accepted) AS BIGINT) AS accepted,
    CAST(SUM(GREATEST(hard_bounced, blocked, soft_bounced)) AS BIGINT) AS bounced,
    CAST(CASE WHEN SUM(opened_told) > 0 OR SUM(opened_with_machines) = 0 THEN SUM(opened) END AS DOUBLE) AS opened,
    CAST(SUM(opened_with_machines) AS BIGINT) AS opened_with_machines,
    CAST(SUM(clicked) AS BIGINT) AS clicked,
    CAST(SUM(clicked_with_machines) AS BIGINT) AS clicked_with_machines,
    CAST(SUM(unsubscribed) AS BIGINT) AS unsubscribed,
    CAST(SUM(complained) AS BIGINT) AS complained,
    CASE
        WHEN SUM(opened_told) > 0 OR SUM(opened_with_machines) = 0 THEN CAST(SUM(opened) AS DOUBLE) / NULLIF(SUM(accepted), 0)
    END AS open_rate,
    CAST(SUM(opened_with_machines) AS DOUBLE) / NULLIF(SUM(accepted), 0) AS open_rate_with_machines,
    CAST(SUM(clicked) AS DOUBLE) / NULLIF(SUM(accepted), 0) AS click_rate,
    CASE WHEN SUM(opened_told) > 0 THEN CAST(SUM(clicked) AS DOUBLE) / NULLIF(SUM(opened), 0) END AS click_to_open_rate
FROM campaigns.customer_response
GROUP BY campaign, audience
