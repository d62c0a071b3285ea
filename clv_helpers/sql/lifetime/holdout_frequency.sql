-- Forecast and actual purchases in the holdout, by how often customers had come back before it.
-- One row: a number of repeat purchase days in the calibration (7 standing for seven and more) and a series.
-- Key: frequency, series
WITH capped AS (
    SELECT
        CASE WHEN frequency > 7 THEN 7 ELSE frequency END AS frequency,
        COUNT(*) AS customers,
        AVG(actual_purchases) AS actual,
        AVG(model_purchases) AS model,
        AVG(naive_purchases) AS naive
    FROM lifetime.customer_holdout
    GROUP BY CASE WHEN frequency > 7 THEN 7 ELSE frequency END
),
long AS (
    SELECT frequency, customers, 'Actual' AS series, 1 AS series_order, actual AS purchases_per_customer FROM capped
    UNION ALL
    SELECT frequency, customers, $model_title, 2, model FROM capped
    UNION ALL
    SELECT frequency, customers, 'Same rate', 3, naive FROM capped
)
SELECT
    *,
    CASE WHEN frequency = 7 THEN '7+' ELSE CAST(frequency AS VARCHAR) END AS frequency_label
FROM long
