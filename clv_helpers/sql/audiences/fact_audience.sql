-- How large each audience is, and what its customers are worth.
-- lifetime_value: predicted, of those who have bought; NULL where nothing is predicted. value_low, value_high: its 80 %
-- interval (1.281552 standard deviations), of the level, as far as all customers' totals were off, and of chance together.
-- One row: an audience.
-- Key: audience
WITH everyone AS (SELECT COUNT(*) AS customers FROM profile.customer),
level AS (SELECT MAX(level_spread) AS spread FROM lifetime.total WHERE measure = 'lifetime_value'),
coming AS (
    SELECT
        m.audience,
        SUM(l.lifetime_value) AS lifetime_value,
        SUM(l.lifetime_value_spread * l.lifetime_value_spread) AS variance
    FROM audiences.membership AS m
    JOIN lifetime.customer_lifetime_value AS l ON l.customer_id = m.customer_id
    GROUP BY m.audience
),
bounded AS (
    SELECT
        c.audience,
        c.lifetime_value,
        1.281552 * SQRT(v.spread * v.spread
            + COALESCE(c.variance / NULLIF(c.lifetime_value * c.lifetime_value, 0), 0)) AS width
    FROM coming AS c
    CROSS JOIN level AS v
)
SELECT
    d.audience,
    d.title,
    d.description,
    COUNT(p.customer_id) AS customers,
    CAST(COUNT(p.customer_id) AS DOUBLE) / NULLIF(MAX(e.customers), 0) AS share_of_customers,
    COALESCE(SUM(p.spend), 0) AS spend,
    CAST(SUM(p.spend) AS DOUBLE) / NULLIF(COUNT(p.customer_id), 0) AS spend_per_customer,
    AVG(p.decile_lifetime) AS mean_decile,
    AVG(p.days_since_purchase) AS mean_days_since_purchase,
    MAX(b.lifetime_value) AS lifetime_value,
    MAX(b.lifetime_value * EXP(-b.width)) AS value_low,
    MAX(b.lifetime_value * EXP(b.width)) AS value_high
FROM audiences.definition AS d
CROSS JOIN everyone AS e
LEFT JOIN audiences.membership AS m ON m.audience = d.audience
LEFT JOIN profile.customer AS p ON p.customer_id = m.customer_id
LEFT JOIN bounded AS b ON b.audience = d.audience
GROUP BY d.audience, d.title, d.description
