-- The latest whole month beside the same month a year before, in words for whoever has none.
SELECT
    month,
    customers,
    revenue,
    order_value,
    purchases_per_customer,
    CASE
        WHEN revenue_change IS NULL THEN 'no year before to compare with'
        WHEN revenue_change >= 0 THEN CONCAT('+', CAST(CAST(ROUND(100 * revenue_change) AS INT) AS VARCHAR), '% on the same month a year before')
        ELSE CONCAT(CAST(CAST(ROUND(100 * revenue_change) AS INT) AS VARCHAR), '% on the same month a year before')
    END AS against_last_year
FROM insights.fact_customers_by_month
WHERE kind = 'All' AND month = (SELECT MAX(month) FROM insights.fact_customers_by_month)
