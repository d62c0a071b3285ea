-- How messages were responded to: opened, clicked, unsubscribed, complained; by whom: see derived.email_response.
-- One row: a message, a kind of response, and whether a machine gave it.
-- Key: message_id, response, by_machine
-- Relation: message_id -> insights.fact_campaign_send.message_id
-- Refresh: view
SELECT
    r.message_id,
    r.response,
    r.by_machine,
    s.campaign,
    s.audience,
    s.customer_id,
    s.decile,
    s.sent_on,
    r.first_at,
    r.times
FROM derived.email_response AS r
JOIN insights.fact_campaign_send AS s ON s.message_id = r.message_id
