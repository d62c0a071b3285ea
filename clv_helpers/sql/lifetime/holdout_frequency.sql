-- Forecast and actual purchases in the holdout, by how often members had come back before it.
-- One row: a number of repeat purchase days in the calibration (7 standing for seven and more) and a series.
-- Key: frequency, series
WITH capped AS (
    SELECT
        CASE WHEN frequency > 7 THEN 7 ELSE frequency END AS frequency,
        COUNT(*) AS members,
        AVG(actual_purchases) AS actual,
        AVG(model_purchases) AS model,
        AVG(naive_purchases) AS naive
    FROM lifetime.member_holdout
    GROUP BY CASE WHEN frequency > 7 THEN 7 ELSE frequency END
),
long AS (
    SELECT frequency, members, 'Actual' AS series, 1 AS series_order, actual AS purchases_per_member FROM capped
    UNION ALL
    SELECT frequency, members, $model_title, 2, model FROM capped
    UNION ALL
    SELECT frequency, members, 'Same rate', 3, naive FROM capped
)
SELECT
    *,
    CASE WHEN frequency = 7 THEN '7+' ELSE CAST(frequency AS VARCHAR) END AS frequency_label
FROM long
