-- Which levels of the covariates a customer has, in one number, its cell: the place of the level of each covariate is a
-- digit to the base of 16 (see lifetime.covariate_level; a value that is no level of its own counts as other, or as the
-- base level where that is none).
-- One row: a customer with a purchase; none without covariates.
-- Key: customer_id
SELECT
    v.customer_id,
    CAST(SUM(COALESCE(l.place, o.place, 0) * POWER(16, v.position)) AS INT) AS cell
FROM lifetime.customer_covariate AS v
LEFT JOIN lifetime.covariate_level AS l ON l.covariate = v.covariate AND l.level = v.value
LEFT JOIN lifetime.covariate_level AS o ON o.covariate = v.covariate AND o.level = 'other'
GROUP BY v.customer_id
