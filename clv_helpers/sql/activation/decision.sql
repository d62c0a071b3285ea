-- Who is sent and who is not, and why: the first reason that applies, in the order of the waterfall. Of duplicates the one
-- is sent who qualified last (where a message is sent but once: the one who has had it, and nobody who has had it under an
-- id that was joined since).
-- One row: a planned activation and a customer of its audience.
-- Key: campaign, destination, customer_id
WITH before_joined AS (
    SELECT DISTINCT l.campaign, l.destination, j.customer_id
    FROM activation.ledger AS l
    JOIN profile.joined_customer AS j ON j.source_customer_id = l.customer_id
    WHERE NOT l.delivered_hash IS NULL OR l.status = 'in doubt'
),
armed AS (
    SELECT
        e.*,
        COALESCE(
            e.outcome,
            CASE
                WHEN a.arm = 'control' THEN 'control'
                WHEN $sent_once AND l.delivered_hash IS NULL AND NOT b.customer_id IS NULL THEN 'duplicates'
            END
        ) AS stays,
        $duplicate_key AS duplicate_key,
        $has_mandatory AS has_mandatory,
        CASE WHEN $sent_once AND NOT l.delivered_hash IS NULL THEN 0 ELSE 1 END AS is_first_time,
        p.last_purchase_on
    FROM activation.eligible AS e
    JOIN profile.customer AS p ON p.customer_id = e.customer_id
    LEFT JOIN activation.arm AS a ON a.campaign = e.campaign AND a.customer_id = e.customer_id
    LEFT JOIN activation.ledger AS l
      ON l.campaign = e.campaign AND l.destination = e.destination AND l.customer_id = e.customer_id
    LEFT JOIN before_joined AS b
      ON b.campaign = e.campaign AND b.destination = e.destination AND b.customer_id = e.customer_id
),
placed AS (
    SELECT
        *,
        CASE WHEN stays IS NULL AND NOT duplicate_key IS NULL THEN ROW_NUMBER() OVER (
            PARTITION BY campaign, destination, stays IS NULL, duplicate_key
            ORDER BY is_first_time, qualified_at DESC NULLS LAST, last_purchase_on DESC NULLS LAST, customer_id
        ) END AS place
    FROM armed
)
SELECT
    campaign,
    audience,
    destination,
    customer_id,
    decile,
    CASE
        WHEN NOT stays IS NULL THEN stays
        WHEN place > 1 THEN 'duplicates'
        WHEN NOT has_mandatory THEN 'missing attribute'
        ELSE 'sent'
    END AS outcome
FROM placed
