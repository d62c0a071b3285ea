-- The value of each decile. Shares are of the category's total in that look-back; where deciles below zero take away more
-- than a tenth of it, there is none. The literal windows of the guide stay in stage 1.
-- One row: a decile in one category and look-back.
-- Key: category, lookback_months, decile
-- Relation: category -> insights.dim_category.category
-- Relation: lookback_months -> insights.dim_lookback.lookback_months
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_value_by_decile)
--   = (SELECT COUNT(*) FROM derived.customer_decile WHERE lookback_months >= 0)
-- Check: (SELECT COALESCE(SUM(value), 0) FROM insights.fact_value_by_decile WHERE category = $no_category AND
--   lookback_months = 0)
--   = (SELECT COALESCE(SUM(d.value), 0) FROM derived.customer_day AS d JOIN derived.lookback AS l ON l.lookback_months
--   = 0 AND d.day < l.ends_before)
-- Snapshot: daily
WITH whole AS (
    SELECT
        category,
        lookback_months,
        SUM(value) AS value,
        SUM(CASE WHEN value < 0 THEN -value ELSE 0 END) AS below_zero
    FROM derived.decile_edge
    GROUP BY category, lookback_months
)
SELECT
    e.category,
    e.lookback_months,
    l.lookback,
    l.lookback_order,
    e.decile,
    e.customers,
    e.value,
    e.spend,
    e.purchases,
    e.lowest_value,
    e.highest_value,
    CAST(e.value AS DOUBLE) / e.customers AS value_per_customer,
    CASE WHEN w.below_zero <= 0.1 * w.value THEN CAST(e.value AS DOUBLE) / NULLIF(w.value, 0) END AS share_of_value
FROM derived.decile_edge AS e
JOIN whole AS w ON w.category = e.category AND w.lookback_months = e.lookback_months
JOIN derived.lookback AS l ON l.lookback_months = e.lookback_months
WHERE e.lookback_months >= 0
