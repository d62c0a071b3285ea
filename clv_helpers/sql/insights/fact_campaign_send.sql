-- What was sent, to whom, and whether it arrived. decile: the lifetime decile at sending (0: not ranked then).
-- One row: a message.
-- Key: message_id
-- Relation: campaign -> insights.dim_campaign.campaign
-- Check: (SELECT COUNT(*) FROM insights.fact_campaign_send) = (SELECT COUNT(*) FROM derived.email_message)
-- Refresh: view
SELECT
    m.message_id,
    m.campaign,
    m.audience,
    m.customer_id,
    COALESCE(d.decile, 0) AS decile,
    m.sent_at,
    CAST(m.sent_at AS DATE) AS sent_on,
    m.delivered_at,
    m.delivered,
    m.accepted,
    m.bounce,
    m.bounce_code
FROM derived.email_message AS m
LEFT JOIN derived.decile_at_sending AS d
  ON d.month = CAST(DATE_TRUNC('month', m.sent_at) AS DATE) AND d.customer_id = m.customer_id
