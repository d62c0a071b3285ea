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
    CASE
        WHEN p.frequency = 0 THEN '0'
        WHEN p.frequency = 1 THEN '1'
        WHEN p.frequency <= 3 THEN '2–3'
        WHEN p.frequency <= 6 THEN '4–6'
        WHEN p.frequency <= 12 THEN '7–12'
        ELSE '13+'
    END AS frequency_band,
    CASE
        WHEN p.frequency = 0 THEN 0
        WHEN p.frequency = 1 THEN 1
        WHEN p.frequency <= 3 THEN 2
        WHEN p.frequency <= 6 THEN 3
        WHEN p.frequency <= 12 THEN 4
        ELSE 5
    END AS frequency_order,
    CASE
        WHEN p.days_since_purchase <= 30 THEN 'last 30 days'
        WHEN p.days_since_purchase <= 90 THEN '31–90 days'
        WHEN p.days_since_purchase <= 180 THEN '91–180 days'
        WHEN p.days_since_purchase <= 365 THEN '181–365 days'
        ELSE 'over a year'
    END AS recency_band,
    CASE
        WHEN p.days_since_purchase <= 30 THEN 0
        WHEN p.days_since_purchase <= 90 THEN 1
        WHEN p.days_since_purchase <= 180 THEN 2
        WHEN p.days_since_purchase <= 365 THEN 3
        ELSE 4
    END AS recency_order
FROM profile.member AS p
WHERE p.purchases > 0
