-- How large each audience is, and what its customers are worth.
-- One row: an audience.
-- Key: audience
WITH everyone AS (SELECT COUNT(*) AS customers FROM profile.customer)
SELECT
    d.audience,
    d.title,
    d.description,
    COUNT(p.customer_id) AS customers,
    CAST(COUNT(p.customer_id) AS DOUBLE) / NULLIF(MAX(e.customers), 0) AS share_of_customers,
    COALESCE(SUM(p.spend), 0) AS spend,
    CAST(SUM(p.spend) AS DOUBLE) / NULLIF(COUNT(p.customer_id), 0) AS spend_per_customer,
    AVG(p.decile_lifetime) AS mean_decile,
    AVG(p.days_since_purchase) AS mean_days_since_purchase
FROM audiences.definition AS d
CROSS JOIN everyone AS e
LEFT JOIN audiences.membership AS m ON m.audience = d.audience
LEFT JOIN profile.customer AS p ON p.customer_id = m.customer_id
GROUP BY d.audience, d.title, d.description
