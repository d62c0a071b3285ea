-- The plan by month as lines: what is to come, what of it known customers bring, and what last year brought.
SELECT month, 'All to come' AS series, 1 AS series_order, total AS spend, customers
FROM lifetime.plan_by_month
WHERE NOT total IS NULL
UNION ALL
SELECT month, 'Known today', 2, known, customers FROM lifetime.plan_by_month
UNION ALL
SELECT month, 'A year before', 3, last_year, customers
FROM lifetime.plan_by_month
WHERE NOT last_year IS NULL
