-- When a customer was last written to, and last clicked.
-- One row: a customer with an e-mail event before as_of.
-- Key: customer_id
-- Refresh: by customer_id through received
WITH received AS (
    SELECT customer_id, event_type, occurred_at
    FROM lake.email_events
    WHERE $email_events_in_profile AND occurred_at < $as_of
)
SELECT
    customer_id,
    CAST(MAX(CASE WHEN event_type = 'sent' THEN occurred_at END) AS DATE) AS last_sent_on,
    CAST(MAX(CASE WHEN event_type = 'clicked' THEN occurred_at END) AS DATE) AS last_clicked_on
FROM received
GROUP BY customer_id
