-- The bands by which charts group members: no chart ever needs a member.
-- One row: a member with at least one purchase.
-- Key: membership_number
SELECT
    p.membership_number,
    COALESCE(p.loyalty_status, $no_category) AS loyalty_status,
    p.decile_12_months,
    p.decile_lifetime,
    COALESCE(p.region, '(not known)') AS region,
    CAST(DATE_TRUNC('year', p.first_purchase_on) AS DATE) AS cohort_year,
    b.frequency_band,
    b.frequency_order,
    b.recency_band,
    b.recency_order
FROM profile.member AS p
JOIN derived.member_band AS b ON b.membership_number = p.membership_number
