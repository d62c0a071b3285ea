-- The identity graph: by which identities each customer is known, the primary one and those that came with any row of a
-- profile-enabled dataset. An identity seen with several customers links none of them: see profile.namespace.
-- One row: an identity in its namespace, and a customer it was seen with.
-- Key: namespace, identity, customer_id
-- Refresh: by customer_id
SELECT $primary_namespace AS namespace, customer_id AS identity, customer_id, TRUE AS is_primary
FROM profile.attribute
UNION ALL
SELECT DISTINCT namespace, identity, customer_id, FALSE AS is_primary
FROM $further_identities AS seen
