-- evaluation: batch or streaming where this workbook has the rule; outside, where only a message names the audience.
-- One row: an audience that is evaluated here, or that a message names.
-- Key: audience
WITH named AS (SELECT DISTINCT COALESCE(audience, '(not known)') AS audience FROM lake.email_events)
SELECT audience, title, description, evaluation FROM audiences.dim_audience
UNION ALL
SELECT n.audience, n.audience AS title, '' AS description, 'outside' AS evaluation
FROM named AS n
LEFT JOIN audiences.dim_audience AS d ON d.audience = n.audience
WHERE d.audience IS NULL
