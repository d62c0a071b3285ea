-- How many identities each namespace holds, and how many of them several members share. Sharing members stay apart:
-- a family's address is no reason to make one person of them.
-- One row: a namespace.
-- Key: namespace
WITH by_identity AS (
    SELECT namespace, is_primary, identity, COUNT(*) AS members
    FROM profile.identity
    GROUP BY namespace, is_primary, identity
)
SELECT
    namespace,
    is_primary,
    COUNT(*) AS identities,
    SUM(members) AS links,
    COUNT(CASE WHEN members > 1 THEN 1 END) AS shared_identities,
    COALESCE(SUM(CASE WHEN members > 1 THEN members END), 0) AS sharing_members
FROM by_identity
GROUP BY namespace, is_primary
