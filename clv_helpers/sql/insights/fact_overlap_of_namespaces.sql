-- One row: two namespaces, and the customers known in both.
-- Key: namespace_a, namespace_b
-- Relation: namespace_a -> insights.dim_namespace.namespace
-- Relation: namespace_b -> insights.dim_namespace.namespace
WITH known AS (SELECT DISTINCT namespace, customer_id FROM profile.identity)
SELECT a.namespace AS namespace_a, b.namespace AS namespace_b, COUNT(*) AS profiles
FROM known AS a
JOIN known AS b ON b.customer_id = a.customer_id AND a.namespace < b.namespace
GROUP BY a.namespace, b.namespace
