-- The workbook at a glance.
-- One row: the workbook.
-- Key: as_of
SELECT
    a.as_of,
    a.first_event_on,
    a.last_event_on,
    a.events,
    COUNT(*) AS customers,
    CAST(COUNT(CASE WHEN v.frequency > 0 THEN 1 END) AS DOUBLE) / COUNT(*) AS share_with_repeat,
    SUM(v.purchases) AS purchases,
    SUM(v.spend) AS spend,
    SUM(v.value) AS value
FROM derived.as_of AS a
CROSS JOIN derived.customer_value AS v
GROUP BY a.as_of, a.first_event_on, a.last_event_on, a.events
