-- One row: an audience.
-- Key: audience
-- Refresh: view
SELECT f.audience, d.title, f.profiles
FROM insights.fact_profile_by_audience AS f
JOIN insights.dim_audience AS d ON d.audience = f.audience
