-- How many profiles there are. single_identity_profiles: known by one identity alone.
-- One row: the customers who hold a category now.
-- Key: category
-- Relation: category -> insights.dim_category.category
-- Check: (SELECT COALESCE(SUM(profiles), 0) FROM insights.fact_profile) = (SELECT COUNT(*) FROM profile.customer)
-- Snapshot: daily
WITH known AS (SELECT customer_id, COUNT(*) AS identities FROM profile.identity GROUP BY customer_id)
SELECT
    COALESCE(p.category, $no_category) AS category,
    COUNT(*) AS profiles,
    COUNT(CASE WHEN k.identities = 1 THEN 1 END) AS single_identity_profiles,
    COUNT(p.first_purchase_on) AS purchasers
FROM profile.customer AS p
LEFT JOIN known AS k ON k.customer_id = p.customer_id
GROUP BY COALESCE(p.category, $no_category)
