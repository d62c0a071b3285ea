-- One row: the members of an audience who are known in a namespace.
-- Key: audience, namespace
-- Relation: audience -> insights.dim_audience.audience
-- Relation: namespace -> insights.dim_namespace.namespace
SELECT m.audience, i.namespace, COUNT(DISTINCT m.membership_number) AS profiles
FROM audiences.membership AS m
JOIN profile.identity AS i ON i.membership_number = m.membership_number
GROUP BY m.audience, i.namespace
