-- One row: a namespace.
-- Key: namespace
-- Refresh: view
SELECT namespace, single_identity_profiles AS profiles
FROM insights.fact_profile_by_namespace
