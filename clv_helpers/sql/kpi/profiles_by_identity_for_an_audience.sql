-- One row: an audience and a namespace.
-- Key: audience, namespace
-- Refresh: view
SELECT audience, namespace, profiles
FROM insights.fact_profile_by_audience_and_namespace
