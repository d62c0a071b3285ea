-- One row: the customers of an audience, as last evaluated.
-- Key: audience
-- Relation: audience -> insights.dim_audience.audience
-- Check: (SELECT COALESCE(SUM(profiles), 0) FROM insights.fact_profile_by_audience)
--   = (SELECT COUNT(*) FROM audiences.membership)
-- Snapshot: daily
WITH known AS (SELECT customer_id, COUNT(*) AS identities FROM profile.identity GROUP BY customer_id)
SELECT
    a.audience,
    COUNT(m.customer_id) AS profiles,
    COUNT(CASE WHEN k.identities = 1 THEN 1 END) AS single_identity_profiles
FROM audiences.definition AS a
LEFT JOIN audiences.membership AS m ON m.audience = a.audience
LEFT JOIN known AS k ON k.customer_id = m.customer_id
GROUP BY a.audience
