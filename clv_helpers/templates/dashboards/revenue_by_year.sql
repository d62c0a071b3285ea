-- Revenue of each whole month, and of the same month a year before, as two series.
SELECT month, 'This year' AS series, 1 AS series_order, customers, revenue FROM insights.fact_customers_by_month
WHERE kind = 'All'
UNION ALL
SELECT month, 'A year before', 2, customers_before, revenue_before FROM insights.fact_customers_by_month
WHERE kind = 'All' AND NOT revenue_before IS NULL
