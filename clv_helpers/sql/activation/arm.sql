-- Treated or kept back as control. Who was assigned stays so (activation.assignment); the others are lined up by decile,
-- and within a decile by a hash of campaign and member, and every 1/share-th is control: so each decile gives its share,
-- and a repeated run draws the same people.
-- One row: a campaign and a member who could be written to, or who has been assigned before.
-- Key: campaign, membership_number
WITH pool AS (
    SELECT
        e.campaign, e.membership_number, MIN(e.audience) AS audience, MIN(e.destination) AS destination,
        MIN(e.decile) AS decile, MAX(plan.control_share) AS share
    FROM activation.eligible AS e
    JOIN activation.plan AS plan ON plan.campaign = e.campaign AND plan.destination = e.destination
    WHERE e.outcome IS NULL AND plan.control_share > 0
    GROUP BY e.campaign, e.membership_number
),
assigned AS (
    SELECT campaign, COUNT(*) AS members FROM activation.assignment GROUP BY campaign
),
fresh AS (
    SELECT
        p.*,
        COALESCE(b.members, 0) + ROW_NUMBER() OVER (
            PARTITION BY p.campaign
            ORDER BY COALESCE(p.decile, 11), MD5(CONCAT(p.campaign, '|', p.membership_number)), p.membership_number
        ) AS place
    FROM pool AS p
    LEFT JOIN activation.assignment AS a ON a.campaign = p.campaign AND a.membership_number = p.membership_number
    LEFT JOIN assigned AS b ON b.campaign = p.campaign
    WHERE a.membership_number IS NULL
)
SELECT
    campaign, membership_number, audience, destination, decile,
    CASE WHEN FLOOR(place * share) > FLOOR((place - 1) * share) THEN 'control' ELSE 'treated' END AS arm,
    TRUE AS is_new
FROM fresh
UNION ALL
SELECT campaign, membership_number, audience, destination, decile, arm, FALSE FROM activation.assignment
