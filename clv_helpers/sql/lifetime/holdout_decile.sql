-- Spend in the holdout by the decile that the model put a customer in before it; edges as in lifetime.holdout_gain.
-- One row: a decile by forecast spend and a series.
-- Key: decile, series
WITH shared AS (
    SELECT
        d.decile,
        b.customers,
        b.actual_spend,
        b.model_spend,
        b.naive_spend,
        b.status_quo_spend,
        (LEAST(b.places_before + b.customers, b.everyone * d.decile / 10.0)
            - GREATEST(b.places_before, b.everyone * (d.decile - 1) / 10.0)) / b.customers AS part
    FROM lifetime.holdout_band AS b
    JOIN lifetime.decile AS d
        ON b.places_before < b.everyone * d.decile / 10.0
        AND b.places_before + b.customers > b.everyone * (d.decile - 1) / 10.0
    WHERE b.series = $model_title
),
by_decile AS (
    SELECT
        decile,
        SUM(customers * part) AS customers,
        SUM(actual_spend * part) AS actual,
        SUM(model_spend * part) AS model,
        SUM(naive_spend * part) AS naive,
        SUM(status_quo_spend * part) AS status_quo
    FROM shared
    GROUP BY decile
)
SELECT decile, customers, 'Actual' AS series, 1 AS series_order, actual AS spend, actual / customers AS spend_per_customer FROM by_decile
UNION ALL
SELECT decile, customers, $model_title, 2, model, model / customers FROM by_decile
UNION ALL
SELECT decile, customers, 'Same rate', 3, naive, naive / customers FROM by_decile
UNION ALL
SELECT decile, customers, $last_year, 4, status_quo, status_quo / customers FROM by_decile
