-- What became of each message. An open is a machine's when its user agent is the bare one that Apple's
-- mail privacy proxy sends; a message opened by both counts as opened by a person.
-- One row: a message.
-- Key: message_id
-- Refresh: by message_id
SELECT
    message_id,
    MIN(campaign) AS campaign,
    COALESCE(MIN(audience), '(not known)') AS audience,
    MIN(membership_number) AS membership_number,
    MIN(CASE WHEN event_type = 'sent' THEN occurred_at END) AS sent_at,
    MAX(CASE WHEN event_type = 'sent' THEN 1 ELSE 0 END) AS sent,
    MAX(CASE WHEN event_type = 'delivered' THEN 1 ELSE 0 END) AS delivered,
    MAX(CASE WHEN event_type = 'bounced' THEN 1 ELSE 0 END) AS bounced,
    MAX(CASE WHEN event_type = 'opened' AND COALESCE(user_agent, '') <> 'Mozilla/5.0' THEN 1 ELSE 0 END) AS opened,
    MAX(CASE WHEN event_type = 'opened' THEN 1 ELSE 0 END) AS opened_with_machines,
    MAX(CASE WHEN event_type = 'clicked' THEN 1 ELSE 0 END) AS clicked,
    MAX(CASE WHEN event_type = 'unsubscribed' THEN 1 ELSE 0 END) AS unsubscribed,
    MAX(CASE WHEN event_type = 'complained' THEN 1 ELSE 0 END) AS complained
FROM lake.email_events
WHERE occurred_at < $as_of
GROUP BY message_id
