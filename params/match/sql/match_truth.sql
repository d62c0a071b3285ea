-- Who is on both lists, in truth, with what is different on the second, and the probability with which they were found.
-- One row: a customer of the site who is on the other list, too.
-- Key: customer_id
-- Refresh: view
SELECT
    k.account AS customer_id,
    k.kind AS changes,
    CASE WHEN p.is_right AND p.outcome <> 'held apart' THEN p.probability ELSE 0 END AS probability
FROM lake.checked AS k
LEFT JOIN insights.match_pair AS p ON p.customer_id = k.account
WHERE k.is_same
