-- One row: two audiences, and the customers whom they share; none where they share nobody.
-- Key: audience_a, audience_b
-- Relation: audience_a -> insights.dim_audience.audience
-- Relation: audience_b -> insights.dim_audience.audience
SELECT a.audience AS audience_a, b.audience AS audience_b, COUNT(*) AS profiles
FROM audiences.membership AS a
JOIN audiences.membership AS b ON b.customer_id = a.customer_id AND a.audience < b.audience
GROUP BY a.audience, b.audience
