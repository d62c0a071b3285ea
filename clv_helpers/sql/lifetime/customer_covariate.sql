-- What each covariate of the params said of a customer first, so that it was known at any later cut-off: of a column of
-- the customers, the first batch; of one of the purchases, the first of them. unknown: nothing was said.
-- position: which of the covariates it is, from 0. changed: 1 where a later batch says otherwise.
-- One row: a customer with a purchase, and a covariate; none where the params name none.
-- Key: customer_id, covariate
SELECT
    c.customer_id,
    n.covariate,
    n.position,
    COALESCE(NULLIF(TRIM(v.value), ''), 'unknown') AS value,
    COALESCE(v.changed, 0) AS changed
FROM derived.customer_value AS c
CROSS JOIN $covariates AS n
LEFT JOIN $covariate_values AS v ON v.customer_id = c.customer_id AND v.covariate = n.covariate
