-- Messages within the longest look-back of the planned frequency caps: those that e-mail events tell of, and those
-- handed over to a destination of which no event has come back yet.
-- One row: a customer, a campaign and a message of it.
-- Key: customer_id, campaign, message_id
WITH told AS (
    SELECT customer_id, campaign, message_id, CAST(MIN(occurred_at) AS DATE) AS sent_on
    FROM lake.email_events
    WHERE $longest_cap_days > 0 AND message_id IS NOT NULL
    GROUP BY customer_id, campaign, message_id
),
handed_over AS (
    SELECT l.customer_id, l.campaign, CONCAT('destination ', l.destination) AS message_id, l.as_of AS sent_on
    FROM activation.ledger AS l
    LEFT JOIN told AS t ON t.customer_id = l.customer_id AND t.campaign = l.campaign
    WHERE l.status IN ('delivered', 'in doubt') AND l.operation <> 'leave' AND t.customer_id IS NULL
),
messages AS (
    SELECT * FROM told
    UNION ALL
    SELECT * FROM handed_over
)
SELECT customer_id, campaign, message_id, sent_on
FROM messages
WHERE DATE_DIFF('day', sent_on, $as_of) < $longest_cap_days
