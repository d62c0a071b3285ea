-- The holdout's customers ranked by each forecast, in bands of 0.2 % of what it forecast, so that nobody needs sorting.
-- 'Best possible' ranks by what came. Places run from 1, the best; whoever shares a band shares its places.
-- One row: a series and a band of it.
-- Key: series, band
WITH long AS (
    SELECT 'Best possible' AS series, 1 AS series_order, actual_spend AS ranked_by, * FROM lifetime.customer_holdout
    UNION ALL
    SELECT $model_title, 2, model_spend, * FROM lifetime.customer_holdout
    UNION ALL
    SELECT 'Same rate', 3, naive_spend, * FROM lifetime.customer_holdout
    UNION ALL
    SELECT $last_year, 4, status_quo_spend, * FROM lifetime.customer_holdout
),
banded AS (
    SELECT
        series,
        series_order,
        CASE WHEN ranked_by > 0 THEN CAST(FLOOR(LN(ranked_by) * 500) AS BIGINT) ELSE -1000000 END AS band,
        actual_spend,
        model_spend,
        naive_spend,
        status_quo_spend
    FROM long
),
counted AS (
    SELECT
        series,
        series_order,
        band,
        COUNT(*) AS customers,
        SUM(actual_spend) AS actual_spend,
        SUM(model_spend) AS model_spend,
        SUM(naive_spend) AS naive_spend,
        SUM(status_quo_spend) AS status_quo_spend
    FROM banded
    GROUP BY series, series_order, band
)
SELECT
    *,
    SUM(customers) OVER (PARTITION BY series ORDER BY band DESC) - customers AS places_before,
    SUM(customers) OVER (PARTITION BY series) AS everyone,
    SUM(actual_spend) OVER (PARTITION BY series) AS whole_spend
FROM counted
