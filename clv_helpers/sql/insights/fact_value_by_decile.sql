-- What each tenth of the members brings. Shares are of the category's total in that look-back. Look-backs as printed
-- in the guide stay in stage 1.
-- One row: a decile in one category and look-back.
-- Key: loyalty_status, lookback_months, decile
-- Relation: loyalty_status -> insights.dim_loyalty_status.loyalty_status
-- Relation: lookback_months -> insights.dim_lookback.lookback_months
-- Check: (SELECT COALESCE(SUM(members), 0) FROM insights.fact_value_by_decile) = (SELECT COUNT(*) FROM derived.member_decile WHERE lookback_months >= 0)
-- Check: (SELECT COALESCE(SUM(value), 0) FROM insights.fact_value_by_decile WHERE loyalty_status = $no_category AND lookback_months = 0) = (SELECT COALESCE(SUM(d.value), 0) FROM derived.member_day AS d JOIN derived.lookback AS l ON l.lookback_months = 0 AND d.day < l.ends_before)
-- Snapshot: daily
SELECT
    e.category AS loyalty_status,
    e.lookback_months,
    l.lookback,
    l.lookback_order,
    e.decile,
    e.members,
    e.value,
    e.spend,
    e.purchases,
    e.lowest_value,
    e.highest_value,
    CAST(e.value AS DOUBLE) / e.members AS value_per_member,
    CAST(e.value AS DOUBLE) / NULLIF(SUM(e.value) OVER (PARTITION BY e.category, e.lookback_months), 0) AS share_of_value
FROM derived.decile_edge AS e
JOIN derived.lookback AS l ON l.lookback_months = e.lookback_months
WHERE e.lookback_months >= 0
