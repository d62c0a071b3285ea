-- How those who are sent differ from those whom the destination has by the last activation.
-- One row: a planned activation.
-- Key: campaign, destination
WITH now_sent AS (
    SELECT campaign, destination, customer_id FROM activation.decision WHERE outcome = 'sent'
),
before AS (
    SELECT campaign, destination, customer_id FROM activation.ledger WHERE present
),
compared AS (
    SELECT
        COALESCE(n.campaign, b.campaign) AS campaign,
        COALESCE(n.destination, b.destination) AS destination,
        CASE WHEN b.customer_id IS NULL THEN 1 ELSE 0 END AS joined,
        CASE WHEN n.customer_id IS NULL THEN 1 ELSE 0 END AS has_left
    FROM now_sent AS n
    FULL JOIN before AS b
      ON b.campaign = n.campaign AND b.destination = n.destination AND b.customer_id = n.customer_id
)
SELECT
    plan.campaign,
    plan.audience,
    plan.destination,
    CAST(COALESCE(SUM(1 - c.joined), 0) AS BIGINT) AS before,
    CAST(COALESCE(SUM(c.joined), 0) AS BIGINT) AS joined,
    CAST(COALESCE(SUM(c.has_left), 0) AS BIGINT) AS has_left,
    CAST(COALESCE(SUM(1 - c.has_left), 0) AS BIGINT) AS now
FROM activation.plan AS plan
LEFT JOIN compared AS c ON c.campaign = plan.campaign AND c.destination = plan.destination
GROUP BY plan.campaign, plan.audience, plan.destination
