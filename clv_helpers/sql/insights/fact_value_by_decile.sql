-- The value of each decile. The literal windows of the guide stay in stage 1.
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
    e.share_of_value
FROM derived.decile_edge AS e
JOIN derived.lookback AS l ON l.lookback_months = e.lookback_months
WHERE e.lookback_months >= 0
