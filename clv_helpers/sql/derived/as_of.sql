-- The day as of which this workbook's tables are computed; boards and the report show it.
-- One row: the workbook.
-- Key: as_of
SELECT
    $as_of AS as_of,
    COUNT(*) AS events,
    CAST(MIN(occurred_at) AS DATE) AS first_event_on,
    CAST(MAX(occurred_at) AS DATE) AS last_event_on
FROM lake.purchases
WHERE occurred_at < $as_of
