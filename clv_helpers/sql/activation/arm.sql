-- Treated or control. Who was assigned stays so (activation.assignment); the others are lined up by decile, and within a
-- decile by a hash of campaign and customer, and every 1/share-th is control: so each decile gives its share, and a
-- repeated run assigns the same customers. Of customers who were joined since, the first assignment holds.
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
by_person AS (
    SELECT
        a.campaign, COALESCE(j.customer_id, a.customer_id) AS customer_id, a.audience, a.destination, a.decile, a.arm,
        ROW_NUMBER() OVER (
            PARTITION BY a.campaign, COALESCE(j.customer_id, a.customer_id)
            ORDER BY a.assigned_at, a.arm DESC, a.customer_id
        ) AS assignment
    FROM activation.assignment AS a
    LEFT JOIN profile.joined_customer AS j ON j.source_customer_id = a.customer_id
),
standing AS (
    SELECT * FROM by_person WHERE assignment = 1
),
fresh AS (
    SELECT
        p.*,
        COALESCE(b.customers, 0) + ROW_NUMBER() OVER (
            PARTITION BY p.campaign
            ORDER BY COALESCE(p.decile, 11), MD5(CONCAT(p.campaign, '|', p.customer_id)), p.customer_id
        ) AS place
    FROM pool AS p
    LEFT JOIN standing AS a ON a.campaign = p.campaign AND a.customer_id = p.customer_id
    LEFT JOIN assigned AS b ON b.campaign = p.campaign
    WHERE a.customer_id IS NULL
)
SELECT
    campaign, customer_id, audience, destination, decile,
    CASE WHEN FLOOR(place * share) > FLOOR((place - 1) * share) THEN 'control' ELSE 'treated' END AS arm,
    TRUE AS is_new
FROM fresh
UNION ALL
SELECT campaign, customer_id, audience, destination, decile, arm, FALSE FROM standing
