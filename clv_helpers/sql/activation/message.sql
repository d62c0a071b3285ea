-- Messages within the longest look-back of the planned frequency caps: those of which there are e-mail events, and those
-- delivered to a destination from which no event has come back yet, under whichever id the customer had then.
-- One row: a customer, a campaign and a message of it.
-- Key: customer_id, campaign, message_id
WITH with_events AS (
    SELECT customer_id, campaign, message_id, CAST(MIN(occurred_at) AS DATE) AS sent_on
    FROM lake.email_events
    WHERE $longest_cap_days > 0 AND message_id IS NOT NULL
    GROUP BY customer_id, campaign, message_id
),
delivered AS (
    SELECT
        COALESCE(j.customer_id, l.customer_id) AS customer_id,
        l.campaign,
        CONCAT('destination ', l.destination, COALESCE(' as ' || j.source_customer_id, '')) AS message_id,
        l.as_of AS sent_on
    FROM activation.ledger AS l
    LEFT JOIN profile.joined_customer AS j ON j.source_customer_id = l.customer_id
    LEFT JOIN with_events AS e
      ON e.customer_id = COALESCE(j.customer_id, l.customer_id) AND e.campaign = l.campaign
    WHERE l.status IN ('delivered', 'in doubt') AND l.membership <> 'exited' AND e.customer_id IS NULL
),
messages AS (
    SELECT * FROM with_events
    UNION ALL
    SELECT * FROM delivered
)
SELECT customer_id, campaign, message_id, sent_on
FROM messages
WHERE DATE_DIFF('day', sent_on, $as_of) < $longest_cap_days
