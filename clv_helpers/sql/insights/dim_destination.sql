-- One row: a destination of this workbook, or one that an earlier activation went to.
-- Key: destination
WITH known AS (SELECT DISTINCT destination, type FROM $known_destinations AS d),
used AS (SELECT DISTINCT destination FROM activation.delivery_run)
SELECT COALESCE(k.destination, u.destination) AS destination, COALESCE(k.type, '(gone)') AS type
FROM known AS k
FULL JOIN used AS u ON u.destination = k.destination
