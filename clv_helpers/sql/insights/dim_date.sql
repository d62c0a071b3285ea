-- Every day from the year of the first event to the end of as_of's year, whether or not something happened on it.
-- One row: a day.
-- Key: day
WITH span AS (
    SELECT
        CAST(DATE_TRUNC('year', first_event_on) AS DATE) AS first_day,
        CAST(DATE_TRUNC('year', as_of) + INTERVAL '1' YEAR AS DATE) AS end_day
    FROM derived.as_of
),
digit AS (SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t(n)),
counted AS (
    SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n AS n
    FROM digit AS a CROSS JOIN digit AS b CROSS JOIN digit AS c CROSS JOIN digit AS d CROSS JOIN digit AS e
),
calendar AS (
    SELECT CAST(DATE_ADD(s.first_day, c.n) AS DATE) AS day, s.end_day
    FROM span AS s CROSS JOIN counted AS c
)
SELECT
    day,
    CAST(DATE_TRUNC('week', day) AS DATE) AS week,
    CAST(DATE_TRUNC('month', day) AS DATE) AS month,
    EXTRACT(YEAR FROM day) AS year,
    EXTRACT(QUARTER FROM day) AS quarter,
    EXTRACT(MONTH FROM day) AS month_of_year
FROM calendar
WHERE day < end_day
