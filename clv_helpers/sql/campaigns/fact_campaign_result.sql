-- Counts of messages. Rates are taken over delivered messages, opens without those of machines.
-- One row: a campaign and the audience it was sent to.
-- Key: campaign, audience
SELECT
    campaign,
    audience,
    CAST(MIN(sent_at) AS DATE) AS sent_on,
    SUM(sent) AS sent,
    SUM(delivered) AS delivered,
    SUM(bounced) AS bounced,
    SUM(opened) AS opened,
    SUM(opened_with_machines) AS opened_with_machines,
    SUM(clicked) AS clicked,
    SUM(unsubscribed) AS unsubscribed,
    SUM(complained) AS complained,
    CAST(SUM(opened) AS DOUBLE) / NULLIF(SUM(delivered), 0) AS open_rate,
    CAST(SUM(opened_with_machines) AS DOUBLE) / NULLIF(SUM(delivered), 0) AS open_rate_with_machines,
    CAST(SUM(clicked) AS DOUBLE) / NULLIF(SUM(delivered), 0) AS click_rate
FROM campaigns.fact_campaign_message
GROUP BY campaign, audience
