-- Who is in a decile of the last twelve months, over all members: small groups, for the boards.
-- One row: a decile, and what its members have in common.
-- Key: decile, loyalty_status, region, frequency_band, recency_band
-- Check: (SELECT COALESCE(SUM(members), 0) FROM insights.fact_decile_profile) = (SELECT COUNT(*) FROM insights.dim_member_band WHERE NOT decile_12_months IS NULL)
-- Relation: loyalty_status -> insights.dim_loyalty_status.loyalty_status
SELECT
    b.decile_12_months AS decile,
    b.loyalty_status,
    b.region,
    b.frequency_band,
    b.frequency_order,
    b.recency_band,
    b.recency_order,
    COUNT(*) AS members,
    COALESCE(SUM(v.spend), 0) AS spend
FROM insights.dim_member_band AS b
LEFT JOIN derived.member_value AS v ON v.membership_number = b.membership_number
WHERE NOT b.decile_12_months IS NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7
