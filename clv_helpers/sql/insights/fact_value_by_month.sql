-- The trend: whole months only, as many as trend_months in the params.
-- One row: a month in one category; category ALL is everyone.
-- Key: month, category
-- Relation: month -> insights.dim_date.day
-- Relation: category -> insights.dim_category.category
-- Check: (SELECT COALESCE(SUM(value), 0) FROM insights.fact_value_by_month WHERE category = $no_category)
--   = (SELECT COALESCE(SUM(f.value), 0) FROM insights.fact_customer_month AS f JOIN insights.fact_value_by_month AS m
--   ON m.month = f.month AND m.category = $no_category)
WITH whole_months AS (
    SELECT f.*
    FROM insights.fact_customer_month AS f
    CROSS JOIN derived.as_of AS a
    WHERE f.month < DATE_TRUNC('month', a.as_of)
      AND (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM f.month)) * 12
          + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM f.month) <= $trend_months
)
SELECT
    month,
    category,
    COUNT(DISTINCT customer_id) AS active_customers,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases
FROM whole_months
WHERE category <> $no_category
GROUP BY month, category
UNION ALL
SELECT
    month,
    $no_category AS category,
    COUNT(DISTINCT customer_id) AS active_customers,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases
FROM whole_months
GROUP BY month
