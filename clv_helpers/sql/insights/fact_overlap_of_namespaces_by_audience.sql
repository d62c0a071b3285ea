-- One row: an audience, two namespaces, and its members known in both.
-- Key: audience, namespace_a, namespace_b
-- Relation: audience -> insights.dim_audience.audience
-- Relation: namespace_a -> insights.dim_namespace.namespace
-- Relation: namespace_b -> insights.dim_namespace.namespace
WITH known AS (
    SELECT DISTINCT m.audience, i.namespace, m.membership_number
    FROM audiences.membership AS m
    JOIN profile.identity AS i ON i.membership_number = m.membership_number
)
SELECT a.audience, a.namespace AS namespace_a, b.namespace AS namespace_b, COUNT(*) AS profiles
FROM known AS a
JOIN known AS b
    ON b.audience = a.audience AND b.membership_number = a.membership_number AND a.namespace < b.namespace
GROUP BY a.audience, a.namespace, b.namespace
