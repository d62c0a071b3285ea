-- What tells bots from people: how many events a visitor has at most in any 1, 5 and 30 minutes (windows that slide
-- from event to event, in whole seconds, both ends counted), how regular the gaps between them are, how many come at
-- night. Empty unless the params ask for bots.
-- gap_variation: the standard deviation of the gaps under half an hour by their mean; 1, as of chance, with fewer than
-- three. Of whole numbers, so that the order of rows changes no digit.
-- night_share: of the events, those before six in the morning.
-- One row: a visitor with an event before as_of.
-- Key: customer_id
-- Refresh: by customer_id
WITH seen AS (
    SELECT
        customer_id,
        DATE_DIFF('second', CAST('1970-01-01' AS TIMESTAMP), occurred_at) AS moment,
        CASE WHEN EXTRACT(HOUR FROM occurred_at) < 6 THEN 1 ELSE 0 END AS is_night
    FROM $bot_events AS e
    WHERE occurred_at < $as_of
),
counted AS (
    SELECT
        customer_id,
        is_night,
        COUNT(*) OVER (PARTITION BY customer_id ORDER BY moment RANGE BETWEEN 59 PRECEDING AND CURRENT ROW) AS in_1_minute,
        COUNT(*) OVER (PARTITION BY customer_id ORDER BY moment RANGE BETWEEN 299 PRECEDING AND CURRENT ROW) AS in_5_minutes,
        COUNT(*) OVER (PARTITION BY customer_id ORDER BY moment RANGE BETWEEN 1799 PRECEDING AND CURRENT ROW) AS in_30_minutes,
        moment - LAG(moment) OVER (PARTITION BY customer_id ORDER BY moment) AS gap
    FROM seen
),
summed AS (
    SELECT
        customer_id,
        COUNT(*) AS events,
        MAX(in_1_minute) AS most_in_1_minute,
        MAX(in_5_minutes) AS most_in_5_minutes,
        MAX(in_30_minutes) AS most_in_30_minutes,
        SUM(is_night) AS at_night,
        COUNT(CASE WHEN gap < 1800 THEN 1 END) AS gaps,
        COALESCE(SUM(CASE WHEN gap < 1800 THEN gap END), 0) AS gap_sum,
        COALESCE(SUM(CASE WHEN gap < 1800 THEN gap * gap END), 0) AS gap_squares
    FROM counted
    GROUP BY customer_id
)
SELECT
    customer_id,
    events,
    most_in_1_minute,
    most_in_5_minutes,
    most_in_30_minutes,
    CASE
        WHEN gaps < 3 OR gap_sum = 0 THEN CAST(1 AS DOUBLE)
        ELSE CAST(ROUND(CAST(SQRT(CAST(gaps * gap_squares - gap_sum * gap_sum AS DOUBLE)) / NULLIF(gap_sum, 0) AS DECIMAL(18, 6)), 2) AS DOUBLE)
    END AS gap_variation,
    CAST(ROUND(CAST(CAST(at_night AS DOUBLE) / NULLIF(events, 0) AS DECIMAL(18, 6)), 2) AS DOUBLE) AS night_share
FROM summed
