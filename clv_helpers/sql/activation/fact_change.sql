-- How those who are sent differ from those whom the destination has by the last activation: realized are new there, exited
-- are sent no longer.
-- One row: a planned activation.
-- Key: campaign, destination
WITH now_sent AS (
    SELECT campaign, destination, customer_id FROM activation.decision WHERE outcome = 'sent'
),
before AS (
    SELECT campaign, destination, customer_id FROM activation.ledger WHERE at_destination
),
compared AS (
    SELECT
        COALESCE(n.campaign, b.campaign) AS campaign,
        COALESCE(n.destination, b.destination) AS destination,
        CASE WHEN b.customer_id IS NULL THEN 1 ELSE 0 END AS realized,
        CASE WHEN n.customer_id IS NULL THEN 1 ELSE 0 END AS exited
    FROM now_sent AS n
    FULL JOIN before AS b
      ON b.campaign = n.campaign AND b.destination = n.destination AND b.customer_id = n.customer_id
)
SELECT
    plan.campaign,
    plan.audience,
    plan.destination,
    CAST(COALESCE(SUM(1 - c.realized), 0) AS BIGINT) AS before,
    CAST(COALESCE(SUM(c.realized), 0) AS BIGINT) AS realized,
    CAST(COALESCE(SUM(c.exited), 0) AS BIGINT) AS exited,
    CAST(COALESCE(SUM(1 - c.exited), 0) AS BIGINT) AS now
FROM activation.plan AS plan
LEFT JOIN compared AS c ON c.campaign = plan.campaign AND c.destination = plan.destination
GROUP BY plan.campaign, plan.audience, plan.destination
