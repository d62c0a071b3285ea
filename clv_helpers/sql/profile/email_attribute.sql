-- When a member was last written to, and last clicked.
-- One row: a member with an e-mail event before as_of.
-- Key: membership_number
-- Refresh: by membership_number through received
WITH received AS (
    SELECT membership_number, event_type, occurred_at
    FROM lake.email_events
    WHERE $email_events_in_profile AND occurred_at < $as_of
)
SELECT
    membership_number,
    CAST(MAX(CASE WHEN event_type = 'sent' THEN occurred_at END) AS DATE) AS last_sent_on,
    CAST(MAX(CASE WHEN event_type = 'clicked' THEN occurred_at END) AS DATE) AS last_clicked_on
FROM received
GROUP BY membership_number
