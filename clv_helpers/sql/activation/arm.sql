-- Treated or control. Who was assigned stays so (activation.assignment); the others are lined up by decile, and within a
-- decile by a hash of campaign and customer, and every 1/share-th is control: so each decile gives its share, and a
-- repeated run assigns the same customers.
-- One row: a campaign and a customer who could be written to, or who has been assigned before.
-- Key: campaign, customer_id
WITH pool AS (
    SELECT
        e.campaign, e.customer_id, MIN(e.audience) AS audience, MIN(e.destination) AS destination,
        MIN(e.decile) AS decile, MAX(plan.control_share) AS share
    FROM activation.eligible AS e
    JOIN activation.plan AS plan ON plan.campaign = e.campaign AND plan.destination = e.destination
    WHERE e.outcome IS NULL AND plan.control_share > 0
    GROUP BY e.campaign, e.customer_id
),
assigned AS (
    SELECT campaign, COUNT(*) AS customers FROM activation.assignment GROUP BY campaign
),
fresh AS (
    SELECT
        p.*,
        COALESCE(b.customers, 0) + ROW_NUMBER() OVER (
            PARTITION BY p.campaign
            ORDER BY COALESCE(p.decile, 11), MD5(CONCAT(p.campaign, '|', p.customer_id)), p.customer_id
        ) AS place
    FROM pool AS p
    LEFT JOIN activation.assignment AS a ON a.campaign = p.campaign AND a.customer_id = p.customer_id
    LEFT JOIN assigned AS b ON b.campaign = p.campaign
    WHERE a.customer_id IS NULL
)
SELECT
    campaign, customer_id, audience, destination, decile,
    CASE WHEN FLOOR(place * share) > FLOOR((place - 1) * share) THEN 'control' ELSE 'treated' END AS arm,
    TRUE AS is_new
FROM fresh
UNION ALL
SELECT campaign, customer_id, audience, destination, decile, arm, FALSE FROM activation.assignment
