-- Who is in a decile of the last twelve months, over all customers: small groups, for the boards.
-- One row: a decile, and what its customers have in common.
-- Key: decile, category, region, frequency_band, recency_band
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_decile_profile)
--   = (SELECT COUNT(*) FROM insights.dim_customer_band WHERE NOT decile_12_months IS NULL)
-- Relation: category -> insights.dim_category.category
SELECT
    b.decile_12_months AS decile,
    b.category,
    b.region,
    b.frequency_band,
    b.frequency_order,
    b.recency_band,
    b.recency_order,
    COUNT(*) AS customers,
    COALESCE(SUM(v.spend), 0) AS spend
FROM insights.dim_customer_band AS b
LEFT JOIN derived.customer_value AS v ON v.customer_id = b.customer_id
WHERE NOT b.decile_12_months IS NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7
