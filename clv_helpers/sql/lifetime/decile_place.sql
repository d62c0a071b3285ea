-- Which places of the ranking belong to which decile: as NTILE(10) has it, the first deciles are larger by one where
-- the customers cannot be divided by ten.
-- One row: a decile.
-- Key: decile
WITH everyone AS (
    SELECT CAST(FLOOR(COUNT(*) / 10) AS BIGINT) AS size, COUNT(*) % 10 AS larger FROM lifetime.customer_history
)
SELECT
    d.decile,
    (d.decile - 1) * e.size + CASE WHEN d.decile - 1 < e.larger THEN d.decile - 1 ELSE e.larger END + 1 AS first_place,
    d.decile * e.size + CASE WHEN d.decile < e.larger THEN d.decile ELSE e.larger END AS last_place
FROM lifetime.decile AS d
CROSS JOIN everyone AS e
