-- Decile migration as shares, for the boards: see insights.fact_decile_migration. share_of_decile is of those who were in
-- the decile before; the other shares are of all members ranked then or now in that look-back, the same in each row.
-- before, now: the decile as text, 'none' where not ranked.
-- One row: a look-back, a decile before and a decile now.
-- Key: lookback_months, decile_before, decile_now
-- Check: (SELECT COALESCE(SUM(members), 0) FROM insights.fact_decile_movement) = (SELECT COALESCE(SUM(members), 0) FROM insights.fact_decile_migration)
-- Relation: lookback_months -> insights.dim_lookback.lookback_months
SELECT
    lookback_months,
    lookback,
    decile_before,
    decile_now,
    CASE WHEN decile_before = 0 THEN 'none' ELSE CAST(decile_before AS VARCHAR) END AS before,
    CASE WHEN decile_now = 0 THEN 'none' ELSE CAST(decile_now AS VARCHAR) END AS now,
    CASE WHEN decile_before = 0 THEN 11 ELSE decile_before END AS before_order,
    CASE WHEN decile_now = 0 THEN 11 ELSE decile_now END AS now_order,
    members,
    CAST(value_now - value_before AS DOUBLE) AS value_change,
    CAST(members AS DOUBLE) / SUM(members) OVER (PARTITION BY lookback_months, decile_before) AS share_of_decile,
    CAST(SUM(CASE WHEN decile_now > 0 AND (decile_now < decile_before OR decile_before = 0) THEN members ELSE 0 END)
        OVER (PARTITION BY lookback_months) AS DOUBLE) / SUM(members) OVER (PARTITION BY lookback_months) AS share_up,
    CAST(SUM(CASE WHEN decile_before > 0 AND (decile_now > decile_before OR decile_now = 0) THEN members ELSE 0 END)
        OVER (PARTITION BY lookback_months) AS DOUBLE) / SUM(members) OVER (PARTITION BY lookback_months) AS share_down,
    CAST(SUM(CASE WHEN decile_now = decile_before THEN members ELSE 0 END)
        OVER (PARTITION BY lookback_months) AS DOUBLE) / SUM(members) OVER (PARTITION BY lookback_months) AS share_same,
    before_on,
    now_on
FROM insights.fact_decile_migration
