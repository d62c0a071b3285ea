-- How often customers come back.
-- One row: a number of repeat purchase days, 10 standing for ten and more.
-- Key: repeat_days
WITH capped AS (
    SELECT CASE WHEN frequency > 10 THEN 10 ELSE frequency END AS frequency
    FROM derived.customer_value
)
SELECT
    frequency AS repeat_days,
    CASE WHEN frequency = 10 THEN '10+' ELSE CAST(frequency AS VARCHAR) END AS repeat_days_label,
    COUNT(*) AS customers,
    CAST(COUNT(*) AS DOUBLE) / SUM(COUNT(*)) OVER () AS share_of_customers
FROM capped
GROUP BY frequency
