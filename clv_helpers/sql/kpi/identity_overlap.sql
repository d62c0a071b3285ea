-- One row: two namespaces.
-- Key: namespace_a, namespace_b
-- Refresh: view
SELECT namespace_a, namespace_b, profiles
FROM insights.fact_overlap_of_namespaces
