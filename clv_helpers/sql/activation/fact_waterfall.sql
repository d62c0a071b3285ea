-- From everyone in the audience to those who are sent: the removed steps and 'sent' add up to 'matched'.
-- low, high: where the step's bar stands in a waterfall, from those who are left after it to those before it.
-- title: the step as people read it.
-- One row: a step of a planned activation.
-- Key: campaign, destination, step
WITH steps AS (
    SELECT 0 AS step_order, 'matched' AS step, 'In the audience' AS title
    UNION ALL
    SELECT 1, 'no consent', 'Have not agreed'
    UNION ALL
    SELECT 2, 'suppressed', 'Unsubscribed or complained'
    UNION ALL
    SELECT 3, 'bounced', 'Address bounced'
    UNION ALL
    SELECT 4, 'capped', 'Written to enough lately'
    UNION ALL
    SELECT 5, 'control', 'Kept as control group'
    UNION ALL
    SELECT 6, 'duplicates', 'Same address twice'
    UNION ALL
    SELECT 7, 'missing attribute', 'Lack a mandatory attribute'
    UNION ALL
    SELECT 8, 'sent', 'Are sent it'
),
counted AS (
    SELECT campaign, destination, outcome, COUNT(*) AS customers
    FROM activation.decision
    GROUP BY campaign, destination, outcome
),
stepped AS (
    SELECT
        plan.campaign,
        plan.audience,
        plan.destination,
        steps.step_order,
        steps.step,
        steps.title,
        CAST(COALESCE(SUM(CASE WHEN steps.step = 'matched' OR c.outcome = steps.step THEN c.customers END), 0) AS BIGINT) AS customers
    FROM activation.plan AS plan
    CROSS JOIN steps
    LEFT JOIN counted AS c ON c.campaign = plan.campaign AND c.destination = plan.destination
    GROUP BY plan.campaign, plan.audience, plan.destination, steps.step_order, steps.step, steps.title
),
fallen AS (
    SELECT
        *,
        CAST(SUM(CASE WHEN step = 'matched' THEN customers ELSE -customers END) OVER (
            PARTITION BY campaign, destination ORDER BY step_order ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS remaining
    FROM stepped
)
SELECT
    campaign,
    audience,
    destination,
    step_order,
    step,
    title,
    customers,
    CASE WHEN step IN ('matched', 'sent') THEN 0 ELSE remaining END AS low,
    CASE WHEN step IN ('matched', 'sent') THEN customers ELSE remaining + customers END AS high
FROM fallen
