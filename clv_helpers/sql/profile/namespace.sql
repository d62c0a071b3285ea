-- How many identities each namespace holds, and how many of them several customers share. Sharing customers stay apart:
-- a family's address is no reason to make one person of them.
-- One row: a namespace.
-- Key: namespace
WITH by_identity AS (
    SELECT namespace, is_primary, identity, COUNT(*) AS customers
    FROM profile.identity
    GROUP BY namespace, is_primary, identity
)
SELECT
    namespace,
    is_primary,
    COUNT(*) AS identities,
    SUM(customers) AS links,
    COUNT(CASE WHEN customers > 1 THEN 1 END) AS shared_identities,
    COALESCE(SUM(CASE WHEN customers > 1 THEN customers END), 0) AS sharing_customers
FROM by_identity
GROUP BY namespace, is_primary
