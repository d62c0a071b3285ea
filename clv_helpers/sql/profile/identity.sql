-- The identity graph: by which identities each member is known, the primary one and those that came with any row of a
-- profile-enabled dataset. An identity seen with several members links none of them: see profile.namespace.
-- One row: an identity in its namespace, and a member it was seen with.
-- Key: namespace, identity, membership_number
-- Refresh: by membership_number
SELECT $primary_namespace AS namespace, membership_number AS identity, membership_number, TRUE AS is_primary
FROM profile.attribute
UNION ALL
SELECT DISTINCT namespace, identity, membership_number, FALSE AS is_primary
FROM $further_identities AS seen
