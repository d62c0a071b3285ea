-- The lifetime decile that customers had when a campaign was sent to them, or they were assigned to it: as
-- profile.customer.decile_lifetime was on that day (a window that ends at the first of the month, the same order of ties).
-- One row: a month, and a customer ranked then to whom a campaign of that month was sent or who was assigned to one.
-- Key: month, customer_id
-- Refresh: by month through in_window
WITH addressed AS (
    SELECT CAST(DATE_TRUNC('month', occurred_at) AS DATE) AS month, customer_id
    FROM lake.email_events
    WHERE event_type = 'sent' AND occurred_at < $as_of
    UNION
    SELECT CAST(DATE_TRUNC('month', assigned_at) AS DATE), customer_id
    FROM lake.assignments
    WHERE assigned_at < $as_of
),
month_sent AS (
    SELECT DISTINCT month FROM addressed
),
in_window AS (
    SELECT m.month, d.customer_id, d.value
    FROM derived.customer_day AS d
    JOIN month_sent AS m ON d.day < m.month
),
summed AS (
    SELECT month, customer_id, CAST(SUM(value) AS DECIMAL(18, 4)) AS value
    FROM in_window
    GROUP BY month, customer_id
),
ranked AS (
    SELECT
        month,
        customer_id,
        NTILE(10) OVER (PARTITION BY month ORDER BY value DESC, MD5(customer_id), customer_id) AS decile
    FROM summed
)
SELECT r.month, r.customer_id, r.decile
FROM ranked AS r
JOIN addressed AS a ON a.month = r.month AND a.customer_id = r.customer_id
