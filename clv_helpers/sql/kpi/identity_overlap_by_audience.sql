-- One row: an audience and two namespaces.
-- Key: audience, namespace_a, namespace_b
-- Refresh: view
SELECT audience, namespace_a, namespace_b, profiles
FROM insights.fact_overlap_of_namespaces_by_audience
