-- Repeat purchases in the holdout, added up week by week, of the customers who first bought in the calibration.
-- One row: a week of the holdout and a series.
-- Key: week, series
WITH by_day AS (
    SELECT d.customer_id, d.day, SUM(d.spend) AS spend
    FROM derived.customer_day AS d
    JOIN lifetime.customer_calibration AS c ON c.customer_id = d.customer_id
    WHERE (d.purchases > 0 OR d.spend < 0) AND d.day > $calibration_end
    GROUP BY d.customer_id, d.day
),
by_week AS (
    SELECT CAST(FLOOR((DATE_DIFF('day', $calibration_end, day) - 1) / 7) AS INT) + 1 AS week, COUNT(*) AS purchases
    FROM by_day
    WHERE spend >= 0
    GROUP BY CAST(FLOOR((DATE_DIFF('day', $calibration_end, day) - 1) / 7) AS INT) + 1
),
actual AS (
    SELECT f.week, SUM(COALESCE(w.purchases, 0)) OVER (ORDER BY f.week) AS purchases
    FROM lifetime.week_forecast AS f
    LEFT JOIN by_week AS w ON w.week = f.week
)
SELECT week, 'Actual' AS series, 1 AS series_order, CAST(purchases AS DOUBLE) AS purchases FROM actual
UNION ALL
SELECT week, $model_title, 2, model_purchases FROM lifetime.week_forecast
UNION ALL
SELECT week, 'Same rate', 3, naive_purchases FROM lifetime.week_forecast
