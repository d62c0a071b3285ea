-- Spend in the holdout by the decile that the model gave a member before it.
-- One row: a decile of predicted spend and a series.
-- Key: decile, series
WITH by_decile AS (
    SELECT
        model_decile AS decile,
        COUNT(*) AS members,
        SUM(actual_spend) AS actual,
        SUM(model_spend) AS model,
        SUM(naive_spend) AS naive,
        SUM(status_quo_spend) AS status_quo
    FROM lifetime.member_holdout
    GROUP BY model_decile
)
SELECT decile, members, 'Actual' AS series, 1 AS series_order, actual AS spend, actual / members AS spend_per_member FROM by_decile
UNION ALL
SELECT decile, members, $model_title, 2, model, model / members FROM by_decile
UNION ALL
SELECT decile, members, 'Same rate', 3, naive, naive / members FROM by_decile
UNION ALL
SELECT decile, members, 'Last year', 4, status_quo, status_quo / members FROM by_decile
