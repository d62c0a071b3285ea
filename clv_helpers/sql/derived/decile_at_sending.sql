-- The lifetime decile that members had when a campaign was sent to them, or held back from them: as
-- profile.member.decile_lifetime was on that day (a window that ends at the first of the month, the same order of ties).
-- One row: a month, and a member ranked then to whom a campaign of that month was sent or for whom it was drawn.
-- Key: month, membership_number
-- Refresh: by month through in_window
WITH addressed AS (
    SELECT CAST(DATE_TRUNC('month', occurred_at) AS DATE) AS month, membership_number
    FROM lake.email_events
    WHERE event_type = 'sent' AND occurred_at < $as_of
    UNION
    SELECT CAST(DATE_TRUNC('month', assigned_at) AS DATE), membership_number
    FROM lake.assignments
    WHERE assigned_at < $as_of
),
month_sent AS (
    SELECT DISTINCT month FROM addressed
),
in_window AS (
    SELECT m.month, d.membership_number, d.value
    FROM derived.member_day AS d
    JOIN month_sent AS m ON d.day < m.month
),
summed AS (
    SELECT month, membership_number, CAST(SUM(value) AS DECIMAL(18, 4)) AS value
    FROM in_window
    GROUP BY month, membership_number
),
ranked AS (
    SELECT
        month,
        membership_number,
        NTILE(10) OVER (PARTITION BY month ORDER BY value DESC, MD5(membership_number), membership_number) AS decile
    FROM summed
)
SELECT r.month, r.membership_number, r.decile
FROM ranked AS r
JOIN addressed AS a ON a.month = r.month AND a.membership_number = r.membership_number
