-- One row: customers by the category that they hold now.
-- Key: category
-- Relation: category -> insights.dim_category.category
-- Check: (SELECT COALESCE(SUM(spend), 0) FROM insights.fact_value_by_category)
--   = (SELECT COALESCE(SUM(spend), 0) FROM derived.customer_value)
SELECT
    b.category,
    COUNT(*) AS customers,
    SUM(v.value) AS value,
    SUM(v.spend) AS spend,
    CAST(SUM(v.spend) AS DOUBLE) / COUNT(*) AS spend_per_customer,
    CAST(SUM(v.spend) AS DOUBLE) / NULLIF(SUM(SUM(v.spend)) OVER (), 0) AS share_of_spend,
    CAST(COUNT(*) AS DOUBLE) / SUM(COUNT(*)) OVER () AS share_of_customers
FROM insights.dim_customer_band AS b
JOIN derived.customer_value AS v ON v.customer_id = b.customer_id
GROUP BY b.category
