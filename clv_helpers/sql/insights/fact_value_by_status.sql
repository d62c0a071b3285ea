-- One row: members by the category that they hold now.
-- Key: loyalty_status
-- Relation: loyalty_status -> insights.dim_loyalty_status.loyalty_status
-- Check: (SELECT COALESCE(SUM(spend), 0) FROM insights.fact_value_by_status) = (SELECT COALESCE(SUM(spend), 0) FROM derived.member_value)
SELECT
    b.loyalty_status,
    COUNT(*) AS members,
    SUM(v.value) AS value,
    SUM(v.spend) AS spend,
    CAST(SUM(v.spend) AS DOUBLE) / COUNT(*) AS spend_per_member,
    CAST(SUM(v.spend) AS DOUBLE) / NULLIF(SUM(SUM(v.spend)) OVER (), 0) AS share_of_spend,
    CAST(COUNT(*) AS DOUBLE) / SUM(COUNT(*)) OVER () AS share_of_members
FROM insights.dim_member_band AS b
JOIN derived.member_value AS v ON v.membership_number = b.membership_number
GROUP BY b.loyalty_status
