-- One row: the customers known in a namespace.
-- Key: namespace
-- Relation: namespace -> insights.dim_namespace.namespace
-- Check: (SELECT COALESCE(MAX(profiles), 0) FROM insights.fact_profile_by_namespace)
--   = (SELECT COUNT(*) FROM profile.customer)
-- Snapshot: daily
WITH known AS (SELECT customer_id, COUNT(*) AS identities FROM profile.identity GROUP BY customer_id)
SELECT
    i.namespace,
    COUNT(DISTINCT i.customer_id) AS profiles,
    COUNT(DISTINCT CASE WHEN k.identities = 1 THEN i.customer_id END) AS single_identity_profiles
FROM profile.identity AS i
JOIN known AS k ON k.customer_id = i.customer_id
GROUP BY i.namespace
