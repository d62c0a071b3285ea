-- Who is overdue against their own rhythm, and the value that hangs on it; none where nothing is predicted.
-- overdue: of those who come back, nine in ten have by such a silence; of who bought once, of second purchases (see
-- lifetime.customer_lifetime_value, also for value_at_risk). lateness: how far beyond.
-- One row: customers of a category who bought once or again, by how late they are.
-- Key: category, bought_once, band
-- Relation: category -> insights.dim_category.category
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_overdue)
--   = (SELECT COUNT(*) FROM lifetime.customer_lifetime_value)
WITH placed AS (
    SELECT
        COALESCE(p.category, $no_category) AS category,
        CASE WHEN p.frequency = 0 THEN 1 ELSE 0 END AS bought_once,
        CASE WHEN l.overdue < 0.9 THEN 0 WHEN l.overdue < 0.95 THEN 1 WHEN l.overdue < 0.99 THEN 2 ELSE 3 END AS band,
        l.lifetime_value,
        l.value_at_risk
    FROM lifetime.customer_lifetime_value AS l
    JOIN profile.customer AS p ON p.customer_id = l.customer_id
)
SELECT
    category,
    bought_once,
    CASE bought_once WHEN 1 THEN 'Bought once' ELSE 'Bought again' END AS bought,
    band,
    CASE band WHEN 0 THEN 'In rhythm' WHEN 1 THEN '90–95%' WHEN 2 THEN '95–99%' ELSE 'over 99%' END AS lateness,
    COUNT(*) AS customers,
    SUM(lifetime_value) AS lifetime_value,
    SUM(value_at_risk) AS value_at_risk
FROM placed
GROUP BY category, bought_once, band
