-- The plan by month as lines: what is to come, what of it known customers bring, and what last year brought.
SELECT month, SUBSTRING(CAST(month AS VARCHAR), 1, 7) AS in_month, 'All to come' AS series, 1 AS series_order, total AS spend, customers
FROM lifetime.plan_by_month
WHERE NOT total IS NULL
UNION ALL
SELECT month, SUBSTRING(CAST(month AS VARCHAR), 1, 7), 'Known today', 2, known, customers FROM lifetime.plan_by_month
UNION ALL
SELECT month, SUBSTRING(CAST(month AS VARCHAR), 1, 7), 'A year before', 3, last_year, customers
FROM lifetime.plan_by_month
WHERE NOT last_year IS NULL
