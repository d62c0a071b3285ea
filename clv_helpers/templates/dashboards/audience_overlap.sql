-- The six largest audiences: who is in both of each pair; in the audience alone where both are the same.
WITH largest AS (
    SELECT audience, title FROM audiences.fact_audience ORDER BY customers DESC, audience LIMIT 6
)
SELECT la.title AS audience, lb.title AS other, COUNT(*) AS customers
FROM audiences.membership AS a
JOIN audiences.membership AS b ON b.customer_id = a.customer_id
JOIN largest AS la ON la.audience = a.audience
JOIN largest AS lb ON lb.audience = b.audience
GROUP BY la.title, lb.title
