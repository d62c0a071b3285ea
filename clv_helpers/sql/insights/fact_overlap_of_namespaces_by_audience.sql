-- One row: an audience, two namespaces, and its customers known in both.
-- Key: audience, namespace_a, namespace_b
-- Relation: audience -> insights.dim_audience.audience
-- Relation: namespace_a -> insights.dim_namespace.namespace
-- Relation: namespace_b -> insights.dim_namespace.namespace
WITH known AS (
    SELECT DISTINCT m.audience, i.namespace, m.customer_id
    FROM audiences.membership AS m
    JOIN profile.identity AS i ON i.customer_id = m.customer_id
)
SELECT a.audience, a.namespace AS namespace_a, b.namespace AS namespace_b, COUNT(*) AS profiles
FROM known AS a
JOIN known AS b
    ON b.audience = a.audience AND b.customer_id = a.customer_id AND a.namespace < b.namespace
GROUP BY a.audience, a.namespace, b.namespace
