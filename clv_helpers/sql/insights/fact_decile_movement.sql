-- Decile migration as shares, for the boards: see insights.fact_decile_migration. share_of_decile is of those who were in
-- the decile before; the other shares are of the customers ranked then and now in that look-back, the same in each row:
-- up, down and same add up to 1, and whoever is newly ranked, or not any more, has moved neither up nor down.
-- before, now: the decile as text, 'none' where not ranked.
-- One row: a look-back, a decile before and a decile now.
-- Key: lookback_months, decile_before, decile_now
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_decile_movement)
--   = (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_decile_migration)
-- Relation: lookback_months -> insights.dim_lookback.lookback_months
WITH placed AS (
    SELECT *, CASE WHEN decile_before > 0 AND decile_now > 0 THEN customers ELSE 0 END AS in_both
    FROM insights.fact_decile_migration
)
SELECT
    lookback_months,
    lookback,
    lookback_order,
    decile_before,
    decile_now,
    CASE WHEN decile_before = 0 THEN 'none' ELSE CAST(decile_before AS VARCHAR) END AS before,
    CASE WHEN decile_now = 0 THEN 'none' ELSE CAST(decile_now AS VARCHAR) END AS now,
    CASE WHEN decile_before = 0 THEN 11 ELSE decile_before END AS before_order,
    CASE WHEN decile_now = 0 THEN 11 ELSE decile_now END AS now_order,
    customers,
    CAST(value_now - value_before AS DOUBLE) AS value_change,
    CAST(customers AS DOUBLE) / SUM(customers) OVER (PARTITION BY lookback_months, decile_before) AS share_of_decile,
    CAST(SUM(CASE WHEN decile_now < decile_before THEN in_both ELSE 0 END) OVER (PARTITION BY lookback_months) AS DOUBLE)
        / NULLIF(SUM(in_both) OVER (PARTITION BY lookback_months), 0) AS share_up,
    CAST(SUM(CASE WHEN decile_now > decile_before THEN in_both ELSE 0 END) OVER (PARTITION BY lookback_months) AS DOUBLE)
        / NULLIF(SUM(in_both) OVER (PARTITION BY lookback_months), 0) AS share_down,
    CAST(SUM(CASE WHEN decile_now = decile_before THEN in_both ELSE 0 END) OVER (PARTITION BY lookback_months) AS DOUBLE)
        / NULLIF(SUM(in_both) OVER (PARTITION BY lookback_months), 0) AS share_same,
    before_on,
    now_on
FROM placed
