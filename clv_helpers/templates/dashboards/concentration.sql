-- The concentration curve of revenue from nobody on, and beside it what it were if all brought the same.
SELECT percent_of_customers, customers, 'As it is' AS series, 1 AS series_order, share_of_spend
FROM insights.fact_concentration
WHERE NOT share_of_spend IS NULL
UNION ALL
SELECT percent_of_customers, customers, 'If all brought the same', 2, percent_of_customers / 100.0
FROM insights.fact_concentration
WHERE NOT share_of_spend IS NULL
UNION ALL
SELECT 0, customers, 'As it is', 1, 0.0
FROM insights.fact_concentration
WHERE percent_of_customers = 100 AND NOT share_of_spend IS NULL
UNION ALL
SELECT 0, customers, 'If all brought the same', 2, 0.0
FROM insights.fact_concentration
WHERE percent_of_customers = 100 AND NOT share_of_spend IS NULL
