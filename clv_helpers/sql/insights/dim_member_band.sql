-- The bands by which charts group members: no chart ever needs a member.
-- One row: a member.
-- Key: membership_number
-- Relation: loyalty_status -> insights.dim_loyalty_status.loyalty_status
SELECT
    p.membership_number,
    COALESCE(p.loyalty_status, $no_category) AS loyalty_status,
    p.decile_12_months,
    p.decile_lifetime,
    COALESCE(p.region, '(not known)') AS region,
    CAST(DATE_TRUNC('year', p.first_purchase_on) AS DATE) AS cohort_year,
    COALESCE(b.frequency_band, 'no purchase') AS frequency_band,
    COALESCE(b.frequency_order, -1) AS frequency_order,
    COALESCE(b.recency_band, 'no purchase') AS recency_band,
    COALESCE(b.recency_order, 5) AS recency_order
FROM profile.member AS p
LEFT JOIN derived.member_band AS b ON b.membership_number = p.membership_number
