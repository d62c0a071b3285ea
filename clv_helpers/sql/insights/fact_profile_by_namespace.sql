-- One row: the members known in a namespace.
-- Key: namespace
-- Relation: namespace -> insights.dim_namespace.namespace
-- Check: (SELECT COALESCE(MAX(profiles), 0) FROM insights.fact_profile_by_namespace) = (SELECT COUNT(*) FROM profile.member)
-- Snapshot: daily
WITH known AS (SELECT membership_number, COUNT(*) AS identities FROM profile.identity GROUP BY membership_number)
SELECT
    i.namespace,
    COUNT(DISTINCT i.membership_number) AS profiles,
    COUNT(DISTINCT CASE WHEN k.identities = 1 THEN i.membership_number END) AS single_identity_profiles
FROM profile.identity AS i
JOIN known AS k ON k.membership_number = i.membership_number
GROUP BY i.namespace
