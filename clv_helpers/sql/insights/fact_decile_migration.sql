-- Who moved from which decile to which: now against migration_months ago, over all customers. 0 stands for not ranked:
-- before, whoever had earned nothing in that look-back yet; now, whoever has earned nothing in it any more.
-- One row: a look-back, a decile before and a decile now.
-- Key: lookback_months, decile_before, decile_now
-- Relation: lookback_months -> insights.dim_lookback.lookback_months
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_decile_migration WHERE decile_now > 0)
--   = (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_value_by_decile WHERE category = $no_category)
-- Check: (SELECT COALESCE(SUM(value_before), 0) FROM insights.fact_decile_migration)
--   = (SELECT COALESCE(SUM(value), 0) FROM derived.customer_decile_before)
WITH ranked AS (
    SELECT customer_id, lookback_months, decile, value
    FROM derived.customer_decile
    WHERE category = $no_category AND lookback_months >= 0
),
moved AS (
    SELECT
        COALESCE(n.lookback_months, b.lookback_months) AS lookback_months,
        COALESCE(b.decile, 0) AS decile_before,
        COALESCE(n.decile, 0) AS decile_now,
        b.value AS value_before,
        n.value AS value_now
    FROM ranked AS n
    FULL JOIN derived.customer_decile_before AS b
        ON b.customer_id = n.customer_id AND b.lookback_months = n.lookback_months
),
counted AS (
    SELECT
        lookback_months,
        decile_before,
        decile_now,
        COUNT(*) AS customers,
        COALESCE(SUM(value_before), 0) AS value_before,
        COALESCE(SUM(value_now), 0) AS value_now
    FROM moved
    GROUP BY lookback_months, decile_before, decile_now
)
SELECT
    c.lookback_months,
    l.lookback,
    l.lookback_order,
    c.decile_before,
    c.decile_now,
    c.customers,
    c.value_before,
    c.value_now,
    CAST(l.ends_before - $migration_months AS DATE) AS before_on,
    l.ends_before AS now_on
FROM counted AS c
JOIN derived.lookback AS l ON l.lookback_months = c.lookback_months
