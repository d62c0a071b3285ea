-- evaluation: batch or streaming where this workbook has evaluated the rule; otherwise outside: an activation or a
-- message names the audience, and no rule of that name was evaluated here.
-- One row: an audience that is evaluated here, or is named as one.
-- Key: audience
WITH named AS (
    SELECT COALESCE(audience, '(not known)') AS audience FROM lake.email_events
    UNION
    SELECT audience FROM $planned_activations AS p
    UNION
    SELECT audience FROM activation.delivery_run
)
SELECT audience, title, description, evaluation FROM audiences.definition
UNION ALL
SELECT n.audience, n.audience AS title, '' AS description, 'outside' AS evaluation
FROM named AS n
LEFT JOIN audiences.definition AS d ON d.audience = n.audience
WHERE d.audience IS NULL
