-- From everyone in the audience to those who are sent: the removed steps and 'sent' add up to 'matched'.
-- One row: a step of a planned activation.
-- Key: campaign, destination, step
WITH steps AS (
    SELECT 0 AS step_order, 'matched' AS step
    UNION ALL
    SELECT 1, 'no consent'
    UNION ALL
    SELECT 2, 'unsubscribed'
    UNION ALL
    SELECT 3, 'complaint'
    UNION ALL
    SELECT 4, 'hard bounce'
    UNION ALL
    SELECT 5, 'missing attribute'
    UNION ALL
    SELECT 6, 'sent'
)
SELECT
    plan.campaign,
    plan.audience,
    plan.destination,
    steps.step_order,
    steps.step,
    COUNT(CASE WHEN steps.step = 'matched' OR d.outcome = steps.step THEN d.membership_number END) AS members
FROM activation.plan AS plan
CROSS JOIN steps
LEFT JOIN activation.decision AS d ON d.campaign = plan.campaign AND d.destination = plan.destination
GROUP BY plan.campaign, plan.audience, plan.destination, steps.step_order, steps.step
