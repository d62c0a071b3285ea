-- How large each audience is, and what its members are worth.
-- One row: an audience.
-- Key: audience
WITH everyone AS (SELECT COUNT(*) AS members FROM profile.member)
SELECT
    d.audience,
    d.title,
    d.description,
    COUNT(p.membership_number) AS members,
    CAST(COUNT(p.membership_number) AS DOUBLE) / NULLIF(MAX(e.members), 0) AS share_of_members,
    COALESCE(SUM(p.spend), 0) AS spend,
    CAST(SUM(p.spend) AS DOUBLE) / NULLIF(COUNT(p.membership_number), 0) AS spend_per_member,
    AVG(p.decile_lifetime) AS mean_decile,
    AVG(p.days_since_purchase) AS mean_days_since_purchase
FROM audiences.dim_audience AS d
CROSS JOIN everyone AS e
LEFT JOIN audiences.membership AS m ON m.audience = d.audience
LEFT JOIN profile.member AS p ON p.membership_number = m.membership_number
GROUP BY d.audience, d.title, d.description
