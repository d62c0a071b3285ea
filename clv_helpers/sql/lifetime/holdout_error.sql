-- How far each forecast was off: per customer on average (mae: mean absolute error, rmse: root of the mean squared error),
-- and in total (bias: forecast over actual, less one; NULL where refunds outweigh what was spent).
-- One row: a forecast and a measure.
-- Key: measure, series
WITH long AS (
    SELECT 'purchases' AS measure, $model_title AS series, 2 AS series_order, model_purchases AS forecast, actual_purchases AS actual
    FROM lifetime.customer_holdout
    UNION ALL
    SELECT 'purchases', 'Same rate', 3, naive_purchases, actual_purchases FROM lifetime.customer_holdout
    UNION ALL
    SELECT 'purchases', $last_year, 4, status_quo_purchases, actual_purchases FROM lifetime.customer_holdout
    UNION ALL
    SELECT 'spend', $model_title, 2, model_spend, actual_spend FROM lifetime.customer_holdout
    UNION ALL
    SELECT 'spend', 'Same rate', 3, naive_spend, actual_spend FROM lifetime.customer_holdout
    UNION ALL
    SELECT 'spend', $last_year, 4, status_quo_spend, actual_spend FROM lifetime.customer_holdout
)
SELECT
    measure,
    series,
    series_order,
    COUNT(*) AS customers,
    CAST(SUM(forecast) AS DOUBLE) AS forecast,
    CAST(SUM(actual) AS DOUBLE) AS actual,
    CASE WHEN SUM(actual) > 0 THEN CAST(SUM(forecast) AS DOUBLE) / NULLIF(SUM(actual), 0) - 1 END AS bias,
    AVG(ABS(forecast - actual)) AS mae,
    SQRT(AVG((forecast - actual) * (forecast - actual))) AS rmse
FROM long
GROUP BY measure, series, series_order
