-- One row: a customer's month in one category.
-- Key: customer_id, month, category
-- Refresh: by customer_id, month through by_month
-- Relation: month -> insights.dim_date.day
-- Relation: customer_id -> insights.dim_customer_band.customer_id
-- Relation: category -> insights.dim_category.category
-- Check: (SELECT COALESCE(SUM(value), 0) FROM insights.fact_customer_month)
--   = (SELECT COALESCE(SUM(value), 0) FROM derived.customer_day)
WITH by_month AS (
    SELECT customer_id, CAST(DATE_TRUNC('month', day) AS DATE) AS month, category, value, spend, purchases
    FROM derived.customer_day
)
SELECT
    customer_id,
    month,
    category,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases
FROM by_month
GROUP BY customer_id, month, category
