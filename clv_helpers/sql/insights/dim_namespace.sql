-- One row: a namespace in which customers are known.
-- Key: namespace
SELECT namespace, is_primary, identities, shared_identities FROM profile.namespace
