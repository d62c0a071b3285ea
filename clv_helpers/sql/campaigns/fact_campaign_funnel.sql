-- How many were targeted, and why some were not sent: the steps of the last decision of stage 5 for what it activates; for
-- campaigns that another system sent, those assigned to it, its control group, and those it was sent to.
-- One row: a campaign, an audience, a destination (elsewhere: another system), and a step.
-- Key: campaign, audience, destination, step
WITH elsewhere AS (
    SELECT
        campaign, audience,
        COUNT(*) AS targeted,
        COUNT(CASE WHEN arm = 'control' AND is_sent = 0 THEN 1 END) AS control,
        COUNT(CASE WHEN arm = 'treated' AND is_sent = 0 THEN 1 END) AS not_sent,
        SUM(is_sent) AS sent
    FROM (
        SELECT
            COALESCE(a.campaign, r.campaign) AS campaign,
            COALESCE(a.audience, r.audience) AS audience,
            COALESCE(a.arm, 'treated') AS arm,
            COALESCE(r.sent, 0) AS is_sent
        FROM campaigns.customer_assignment AS a
        FULL JOIN campaigns.customer_response AS r
          ON r.campaign = a.campaign AND r.audience = a.audience AND r.customer_id = a.customer_id
    ) AS person
    WHERE NOT campaign IN (SELECT campaign FROM activation.fact_waterfall AS w)
    GROUP BY campaign, audience
),
steps AS (
    SELECT campaign, audience, 'elsewhere' AS destination, 0 AS step_order, 'targeted' AS step, targeted AS customers FROM elsewhere
    UNION ALL
    SELECT campaign, audience, 'elsewhere', 5, 'control', control FROM elsewhere
    UNION ALL
    SELECT campaign, audience, 'elsewhere', 7, 'assigned, not sent', not_sent FROM elsewhere
    UNION ALL
    SELECT campaign, audience, 'elsewhere', 8, 'sent', sent FROM elsewhere
)
SELECT
    campaign, audience, destination, step_order,
    CASE WHEN step = 'matched' THEN 'targeted' ELSE step END AS step,
    CAST(customers AS BIGINT) AS customers
FROM activation.fact_waterfall AS w
UNION ALL
SELECT campaign, audience, destination, step_order, step, CAST(customers AS BIGINT) FROM steps
