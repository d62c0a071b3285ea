-- An example of a table of one's own: the value of each region's customers, with the market from the CSV beside it.
-- One row: a region and a decile of its customers by lifetime miles.
-- Key: region, decile
-- Relation: region -> insights.dim_region.region
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_value_by_region)
--   = (SELECT COUNT(*) FROM insights.dim_customer_band WHERE NOT decile_lifetime IS NULL)
SELECT
    b.region,
    r.market,
    b.decile_lifetime AS decile,
    COUNT(*) AS customers,
    COALESCE(SUM(v.value), 0) AS value,
    COALESCE(SUM(v.spend), 0) AS spend
FROM insights.dim_customer_band AS b
JOIN insights.dim_region AS r ON r.region = b.region
LEFT JOIN derived.customer_value AS v ON v.customer_id = b.customer_id
WHERE NOT b.decile_lifetime IS NULL
GROUP BY b.region, r.market, b.decile_lifetime
