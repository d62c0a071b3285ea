-- Calibration of the probability of a purchase: of those whom the model gave about as much, the share that bought in the
-- holdout. Bands are ten percent wide; from the top on, those of fewer than thirty customers go with the next.
-- One row: a band of the probability and a series.
-- Key: band, series
WITH tenth AS (
    SELECT
        LEAST(CAST(FLOOR(model_probability * 10) AS INT), 9) AS tenth,
        COUNT(*) AS customers,
        SUM(model_probability) AS forecast,
        COUNT(CASE WHEN actual_purchases > 0 THEN 1 END) AS actual
    FROM lifetime.customer_holdout
    GROUP BY LEAST(CAST(FLOOR(model_probability * 10) AS INT), 9)
),
placed AS (
    SELECT *, FLOOR((SUM(customers) OVER (ORDER BY tenth DESC) - customers) / 30.0) AS block FROM tenth
),
banded AS (
    SELECT
        MIN(tenth) * 10 AS band,
        MAX(tenth) * 10 + 10 AS band_end,
        SUM(customers) AS customers,
        SUM(forecast) / SUM(customers) AS forecast,
        CAST(SUM(actual) AS DOUBLE) / SUM(customers) AS actual
    FROM placed
    GROUP BY block
),
labelled AS (
    SELECT *, CAST(band AS VARCHAR) || '–' || CAST(band_end AS VARCHAR) AS band_label FROM banded
)
SELECT band, band_label, customers, 'Actual' AS series, 1 AS series_order, actual AS share_buying FROM labelled
UNION ALL
SELECT band, band_label, customers, $model_title, 2, forecast FROM labelled
