-- The gain curve: members sorted by a forecast made before the holdout, and the share of the holdout's spend that the
-- best tenths by it brought. 'Best possible' sorts by what came. share_captured: of what the best possible choice had.
-- One row: a number of tenths and a series.
-- Key: percent_of_members, series
WITH by_decile AS (
    SELECT 'Best possible' AS series, 1 AS series_order, actual_decile AS decile, SUM(actual_spend) AS spend
    FROM lifetime.member_holdout
    GROUP BY actual_decile
    UNION ALL
    SELECT $model_title, 2, model_decile, SUM(actual_spend) FROM lifetime.member_holdout GROUP BY model_decile
    UNION ALL
    SELECT 'Same rate', 3, naive_decile, SUM(actual_spend) FROM lifetime.member_holdout GROUP BY naive_decile
    UNION ALL
    SELECT 'Last year', 4, status_quo_decile, SUM(actual_spend) FROM lifetime.member_holdout GROUP BY status_quo_decile
),
summed AS (
    SELECT
        series,
        series_order,
        decile * 10 AS percent_of_members,
        SUM(spend) OVER (PARTITION BY series ORDER BY decile) / NULLIF(SUM(spend) OVER (PARTITION BY series), 0) AS share_of_spend
    FROM by_decile
)
SELECT
    s.*,
    s.share_of_spend / NULLIF(b.share_of_spend, 0) AS share_captured
FROM summed AS s
JOIN summed AS b ON b.percent_of_members = s.percent_of_members AND b.series = 'Best possible'
