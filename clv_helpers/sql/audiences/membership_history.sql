-- Who left an audience, and when: one stay after the other. Whoever came back is in audiences.membership too.
-- One row: an audience, a customer who left it, and the evaluation with which the stay began.
-- Key: audience, customer_id, evaluation
-- Refresh: view
SELECT
    audience,
    customer_id,
    'exited' AS status,
    first_qualified_at,
    last_qualified_at,
    left_at,
    rule_hash,
    snapshot,
    evaluation
FROM audiences.membership_period
WHERE NOT left_at IS NULL
