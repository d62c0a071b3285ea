-- What became of each message, summed up from its events in whichever order they came. Any event shows that the message
-- was sent, a response that it was delivered. accepted: delivered, and not bounced afterwards.
-- bounce: the gravest one: hard (5.x.x: the address does not exist), block (5.7.x: refused by a policy), soft (4.x.x:
-- not now); where no code is known, as bounce_type says.
-- One row: a message.
-- Key: message_id
-- Refresh: by message_id
WITH event AS (
    SELECT
        *,
        CASE
            WHEN event_type <> 'bounced' THEN 0
            WHEN bounce_code LIKE '5.7.%' OR bounce_code LIKE '5__ 5.7.%' OR bounce_code LIKE '5__-5.7.%' THEN 2
            WHEN bounce_code LIKE '5%' THEN 3
            WHEN bounce_code LIKE '4%' THEN 1
            WHEN LOWER(bounce_type) = 'hard' THEN 3
            WHEN LOWER(bounce_type) = 'block' THEN 2
            ELSE 1
        END AS gravity
    FROM lake.email_events
    WHERE occurred_at < $as_of
),
summed AS (
    SELECT
        message_id,
        MIN(campaign) AS campaign,
        COALESCE(MIN(audience), '(not known)') AS audience,
        MIN(customer_id) AS customer_id,
        COALESCE(MIN(CASE WHEN event_type = 'sent' THEN occurred_at END), MIN(occurred_at)) AS sent_at,
        COALESCE(
            MIN(CASE WHEN event_type = 'delivered' THEN occurred_at END),
            MIN(CASE WHEN event_type IN ('opened', 'clicked', 'unsubscribed', 'complained') THEN occurred_at END)
        ) AS delivered_at,
        MAX(CASE WHEN event_type = 'bounced' THEN occurred_at END) AS bounced_at,
        MAX(gravity) AS gravity,
        MAX(CASE WHEN event_type = 'bounced' THEN bounce_code END) AS bounce_code,
        MAX(CASE WHEN event_type IN ('sent', 'delivered', 'bounced') THEN 1 ELSE 0 END) AS sending_known
    FROM event
    GROUP BY message_id
)
SELECT
    message_id,
    campaign,
    audience,
    customer_id,
    sent_at,
    delivered_at,
    CASE gravity WHEN 3 THEN 'hard' WHEN 2 THEN 'block' WHEN 1 THEN 'soft' END AS bounce,
    bounce_code,
    CASE WHEN delivered_at IS NULL THEN 0 ELSE 1 END AS delivered,
    CASE WHEN delivered_at IS NULL OR bounced_at >= delivered_at THEN 0 ELSE 1 END AS accepted,
    sending_known
FROM summed
