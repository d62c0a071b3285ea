-- The gain curve: customers ranked by a forecast made before the holdout, and the share of the holdout's spend that the
-- best deciles by it brought. Of a band through which an edge runs, a decile has its part, as if told apart by lot.
-- customers: as many as these deciles are. share_captured: of what the best possible choice had. Both are NULL where refunds outweigh what was spent.
-- One row: a number of deciles and a series.
-- Key: percent_of_customers, series
WITH within AS (
    SELECT
        b.series,
        b.series_order,
        d.decile * 10 AS percent_of_customers,
        b.everyone * d.decile / 10.0 AS customers,
        b.whole_spend,
        b.actual_spend * LEAST(1, (b.everyone * d.decile / 10.0 - b.places_before) / b.customers) AS spend
    FROM lifetime.holdout_band AS b
    JOIN lifetime.decile AS d ON b.places_before < b.everyone * d.decile / 10.0
),
summed AS (
    SELECT
        series,
        series_order,
        percent_of_customers,
        MAX(customers) AS customers,
        CASE WHEN MAX(whole_spend) > 0 THEN SUM(spend) / NULLIF(MAX(whole_spend), 0) END AS share_of_spend
    FROM within
    GROUP BY series, series_order, percent_of_customers
)
SELECT
    s.*,
    s.share_of_spend / NULLIF(b.share_of_spend, 0) AS share_captured
FROM summed AS s
JOIN summed AS b ON b.percent_of_customers = s.percent_of_customers AND b.series = 'Best possible'
