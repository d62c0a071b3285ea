-- Which places of the ranking belong to which decile: as NTILE(10) has it, the first deciles are larger by one where
-- the members cannot be divided by ten.
-- One row: a decile.
-- Key: decile
WITH deciles AS (
    SELECT 1 AS decile UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
    UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10
),
everyone AS (
    SELECT CAST(FLOOR(COUNT(*) / 10) AS BIGINT) AS size, COUNT(*) % 10 AS larger FROM lifetime.member_history
)
SELECT
    d.decile,
    (d.decile - 1) * e.size + CASE WHEN d.decile - 1 < e.larger THEN d.decile - 1 ELSE e.larger END + 1 AS first_place,
    d.decile * e.size + CASE WHEN d.decile < e.larger THEN d.decile ELSE e.larger END AS last_place
FROM deciles AS d
CROSS JOIN everyone AS e
