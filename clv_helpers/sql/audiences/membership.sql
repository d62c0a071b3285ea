-- Who is in an audience now. status: realized with the latest evaluation of the audience, existing since an earlier one.
-- first_qualified_at: the moment (UTC) of the evaluation in which the customer first met the rule; last_qualified_at: of
-- the one with which the present stay began, under the rule with this hash and the batches up to this snapshot.
-- One row: an audience and a customer who is in it.
-- Key: audience, customer_id
-- Refresh: view
WITH latest AS (
    SELECT audience, MAX(evaluation) AS evaluation FROM audiences.evaluation GROUP BY audience
)
SELECT
    s.audience,
    s.customer_id,
    CASE WHEN s.evaluation = l.evaluation THEN 'realized' ELSE 'existing' END AS status,
    s.first_qualified_at,
    s.last_qualified_at,
    s.rule_hash,
    s.snapshot
FROM audiences.membership_period AS s
JOIN latest AS l ON l.audience = s.audience
WHERE s.left_at IS NULL
