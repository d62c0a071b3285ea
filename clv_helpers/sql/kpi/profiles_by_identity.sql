-- One row: a namespace.
-- Key: namespace
-- Refresh: view
SELECT namespace, profiles
FROM insights.fact_profile_by_namespace
