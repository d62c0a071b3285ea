-- The day as of which this workbook's tables are computed; boards and the report show it.
-- One row: the workbook.
-- Key: as_of
SELECT
    $as_of AS as_of,
    COUNT(*) AS loyalty_events,
    CAST(MIN(occurred_at) AS DATE) AS first_event_on,
    CAST(MAX(occurred_at) AS DATE) AS last_event_on
FROM lake.loyalty_events
WHERE occurred_at < $as_of
