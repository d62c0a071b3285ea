-- One row: the workbook.
-- Key: as_of
-- Refresh: view
SELECT a.as_of, SUM(f.profiles) AS profiles
FROM insights.fact_profile AS f
CROSS JOIN derived.as_of AS a
GROUP BY a.as_of
