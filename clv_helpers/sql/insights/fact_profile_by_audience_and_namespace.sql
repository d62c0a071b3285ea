-- One row: the customers of an audience who are known in a namespace.
-- Key: audience, namespace
-- Relation: audience -> insights.dim_audience.audience
-- Relation: namespace -> insights.dim_namespace.namespace
SELECT m.audience, i.namespace, COUNT(DISTINCT m.customer_id) AS profiles
FROM audiences.membership AS m
JOIN profile.identity AS i ON i.customer_id = m.customer_id
GROUP BY m.audience, i.namespace
