-- Sessions: events of a customer in one dataset with no pause between them longer than the params say. A pause of
-- exactly that length ends none. minutes: from the first event to the last, in whole seconds; 0 for a single event.
-- As a dataset of events that rules and attributes ask for, the sessions of `web` are called `web_sessions`.
-- One row: a session of a customer.
-- Key: dataset, customer_id, session_number
-- Refresh: by customer_id through happened
WITH happened AS (
    SELECT dataset, customer_id, occurred_at, idle_from FROM $session_events AS e WHERE occurred_at < $as_of
),
begun AS (
    SELECT
        dataset,
        customer_id,
        occurred_at,
        CASE WHEN idle_from > LAG(occurred_at) OVER w OR LAG(occurred_at) OVER w IS NULL THEN 1 ELSE 0 END AS is_first
    FROM happened
    WINDOW w AS (PARTITION BY dataset, customer_id ORDER BY occurred_at)
),
numbered AS (
    SELECT
        dataset,
        customer_id,
        occurred_at,
        SUM(is_first) OVER (
            PARTITION BY dataset, customer_id ORDER BY occurred_at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS session_number
    FROM begun
)
SELECT
    dataset,
    customer_id,
    CAST(session_number AS BIGINT) AS session_number,
    CONCAT(dataset, '-', customer_id, '-', CAST(session_number AS VARCHAR)) AS session_id,
    MIN(occurred_at) AS occurred_at,
    MAX(occurred_at) AS ended_at,
    COUNT(*) AS events,
    CAST(DATE_DIFF('second', DATE_TRUNC('second', MIN(occurred_at)), DATE_TRUNC('second', MAX(occurred_at))) / 60
        AS DECIMAL(18, 4)) AS minutes
FROM numbered
GROUP BY dataset, customer_id, session_number
