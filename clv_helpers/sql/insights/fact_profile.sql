-- How many profiles there are. single_identity_profiles: known by one identity alone, which is all there is to reach them by.
-- One row: the members who hold a status now.
-- Key: loyalty_status
-- Relation: loyalty_status -> insights.dim_loyalty_status.loyalty_status
-- Check: (SELECT COALESCE(SUM(profiles), 0) FROM insights.fact_profile) = (SELECT COUNT(*) FROM profile.member)
-- Snapshot: daily
WITH known AS (SELECT membership_number, COUNT(*) AS identities FROM profile.identity GROUP BY membership_number)
SELECT
    COALESCE(p.loyalty_status, $no_category) AS loyalty_status,
    COUNT(*) AS profiles,
    COUNT(CASE WHEN k.identities = 1 THEN 1 END) AS single_identity_profiles,
    COUNT(p.first_purchase_on) AS purchasers
FROM profile.member AS p
LEFT JOIN known AS k ON k.membership_number = p.membership_number
GROUP BY COALESCE(p.loyalty_status, $no_category)
