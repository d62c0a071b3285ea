-- E-mail events that are not counted, with the reason: nothing is dropped. An event whose customer or campaign comes to be
-- known later counts from then on.
-- One row: a message, a kind of event, and why it is not counted.
-- Key: message_id, event_type, reason
WITH person AS (
    SELECT customer_id FROM lake.customers
    UNION
    SELECT customer_id FROM lake.purchases
),
judged AS (
    SELECT
        e.message_id, e.event_type, e.campaign, e.customer_id, e.occurred_at,
        CASE
            WHEN $has_customers AND p.customer_id IS NULL THEN 'unknown customer'
            WHEN c.campaign IS NULL THEN 'unknown campaign'
            WHEN e.event_type NOT IN ('sent', 'delivered', 'bounced')
              AND DATE_DIFF('second', e.occurred_at, m.sent_at) > 60 THEN 'before its message was sent'
        END AS reason
    FROM lake.email_events AS e
    JOIN derived.email_message AS m ON m.message_id = e.message_id
    LEFT JOIN person AS p ON p.customer_id = e.customer_id
    LEFT JOIN campaigns.campaign_window AS c ON c.campaign = e.campaign
    WHERE e.occurred_at < $as_of
)
SELECT
    message_id,
    event_type,
    reason,
    MIN(campaign) AS campaign,
    MIN(customer_id) AS customer_id,
    MIN(occurred_at) AS first_at,
    COUNT(*) AS events
FROM judged
WHERE NOT reason IS NULL
GROUP BY message_id, event_type, reason
