-- The bands by which charts group customers: no chart ever needs a customer.
-- One row: a customer.
-- Key: customer_id
-- Relation: category -> insights.dim_category.category
SELECT
    p.customer_id,
    COALESCE(p.category, $no_category) AS category,
    p.decile_12_months,
    p.decile_lifetime,
    COALESCE(p.region, '(not known)') AS region,
    CAST(DATE_TRUNC('year', p.first_purchase_on) AS DATE) AS cohort_year,
    COALESCE(b.frequency_band, 'no purchase') AS frequency_band,
    COALESCE(b.frequency_order, -1) AS frequency_order,
    COALESCE(b.recency_band, 'no purchase') AS recency_band,
    COALESCE(b.recency_order, 5) AS recency_order
FROM profile.customer AS p
LEFT JOIN derived.customer_band AS b ON b.customer_id = p.customer_id
