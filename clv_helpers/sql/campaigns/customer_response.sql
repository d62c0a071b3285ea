-- How each customer responded to a campaign: whoever opened three times, or got two messages, counts once.
-- opened: by a person; a click by a person is also an open (pictures may be off). Responses count where the message was
-- accepted, so that no rate exceeds 1. opened_told: opened, with a user agent by which people are told from machines.
-- One row: a campaign, an audience, and a customer.
-- Key: campaign, audience, customer_id
WITH message AS (
    SELECT m.*, COALESCE(d.decile, 0) AS decile, CAST(m.sent_at AS DATE) AS sent_on
    FROM derived.email_message AS m
    JOIN campaigns.campaign_window AS c ON c.campaign = m.campaign
    LEFT JOIN derived.decile_at_sending AS d
      ON d.month = CAST(DATE_TRUNC('month', m.sent_at) AS DATE) AND d.customer_id = m.customer_id
    WHERE NOT m.message_id IN (
        SELECT message_id FROM campaigns.rejected_response WHERE reason = 'unknown customer'
    )
),
response AS (
    SELECT
        message_id,
        MAX(CASE WHEN response IN ('opened', 'clicked') AND NOT by_machine THEN 1 ELSE 0 END) AS opened,
        MAX(CASE WHEN response IN ('opened', 'clicked') THEN 1 ELSE 0 END) AS opened_with_machines,
        MAX(CASE WHEN response IN ('opened', 'clicked') THEN agent_known ELSE 0 END) AS opened_told,
        MAX(CASE WHEN response = 'clicked' AND NOT by_machine THEN 1 ELSE 0 END) AS clicked,
        MAX(CASE WHEN response = 'clicked' THEN 1 ELSE 0 END) AS clicked_with_machines,
        MAX(CASE WHEN response = 'unsubscribed' THEN 1 ELSE 0 END) AS unsubscribed,
        MAX(CASE WHEN response = 'complained' THEN 1 ELSE 0 END) AS complained
    FROM derived.email_response
    GROUP BY message_id
)
SELECT
    m.campaign,
    m.audience,
    m.customer_id,
    MIN(m.decile) AS decile,
    MIN(m.sent_on) AS sent_on,
    COUNT(*) AS messages,
    1 AS sent,
    MAX(m.delivered) AS delivered,
    MAX(m.accepted) AS accepted,
    MAX(CASE WHEN m.bounce = 'hard' THEN 1 ELSE 0 END) AS hard_bounced,
    MAX(CASE WHEN m.bounce = 'block' THEN 1 ELSE 0 END) AS blocked,
    MAX(CASE WHEN m.bounce = 'soft' THEN 1 ELSE 0 END) AS soft_bounced,
    MAX(m.accepted * COALESCE(r.opened, 0)) AS opened,
    MAX(m.accepted * COALESCE(r.opened_with_machines, 0)) AS opened_with_machines,
    MAX(m.accepted * COALESCE(r.opened_told, 0)) AS opened_told,
    MAX(m.accepted * COALESCE(r.clicked, 0)) AS clicked,
    MAX(m.accepted * COALESCE(r.clicked_with_machines, 0)) AS clicked_with_machines,
    MAX(m.accepted * COALESCE(r.unsubscribed, 0)) AS unsubscribed,
    MAX(m.accepted * COALESCE(r.complained, 0)) AS complained
FROM message AS m
LEFT JOIN response AS r ON r.message_id = m.message_id
GROUP BY m.campaign, m.audience, m.customer_id
