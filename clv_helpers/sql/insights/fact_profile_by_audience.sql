-- One row: the members of an audience, as last evaluated.
-- Key: audience
-- Relation: audience -> insights.dim_audience.audience
-- Check: (SELECT COALESCE(SUM(profiles), 0) FROM insights.fact_profile_by_audience) = (SELECT COUNT(*) FROM audiences.membership)
-- Snapshot: daily
WITH known AS (SELECT membership_number, COUNT(*) AS identities FROM profile.identity GROUP BY membership_number)
SELECT
    a.audience,
    COUNT(m.membership_number) AS profiles,
    COUNT(CASE WHEN k.identities = 1 THEN 1 END) AS single_identity_profiles
FROM audiences.dim_audience AS a
LEFT JOIN audiences.membership AS m ON m.audience = a.audience
LEFT JOIN known AS k ON k.membership_number = m.membership_number
GROUP BY a.audience
