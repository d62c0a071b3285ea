-- One row: an audience and a day of the last 30 that it was counted on, but for the first.
-- Key: audience, as_of
-- Refresh: view
WITH counted AS (
    SELECT audience, as_of, profiles, LAG(profiles) OVER (PARTITION BY audience ORDER BY as_of) AS before
    FROM insights.fact_profile_by_audience_daily
)
SELECT c.audience, c.as_of, c.profiles, c.profiles - c.before AS change
FROM counted AS c
CROSS JOIN derived.as_of AS a
WHERE NOT c.before IS NULL AND c.as_of <= a.as_of AND c.as_of > CAST(a.as_of - INTERVAL '30' DAY AS DATE)
