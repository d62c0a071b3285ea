-- The value of each whole month, and of the same month a year before, as two series.
SELECT month, category, active_customers, value, 'This year' AS series, 1 AS series_order
FROM insights.fact_value_by_month
UNION ALL
SELECT n.month, n.category, b.active_customers, b.value, 'A year before', 2
FROM insights.fact_value_by_month AS n
CROSS JOIN derived.as_of AS a
JOIN insights.fact_value_by_month AS b
  ON b.category = n.category AND b.month = CAST(n.month - INTERVAL '12' MONTH AS DATE) AND b.month > a.first_event_on
