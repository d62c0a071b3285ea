-- The pairs that were matched, and whether they are right, as it is known here.
-- One row: a customer of the site and the best of the cards.
-- Key: customer_id
-- Refresh: view
SELECT
    m.customer_id,
    m.probability,
    m.outcome,
    COALESCE(k.is_same AND k.account = m.customer_id, FALSE) AS is_right
FROM profile.match AS m
LEFT JOIN lake.checked AS k ON k.card_id = m.source_customer_id
