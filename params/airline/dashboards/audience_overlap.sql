-- The three largest audiences: who is in both of each pair; in the audience alone where both are the same.
WITH largest AS (
    SELECT audience, title FROM audiences.fact_audience ORDER BY members DESC, audience LIMIT 3
)
SELECT la.title AS audience, lb.title AS other, COUNT(*) AS members
FROM audiences.membership AS a
JOIN audiences.membership AS b ON b.membership_number = a.membership_number
JOIN largest AS la ON la.audience = a.audience
JOIN largest AS lb ON lb.audience = b.audience
GROUP BY la.title, lb.title
