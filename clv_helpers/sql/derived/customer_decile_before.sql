-- Deciles over all customers as they stood migration_months (in the params) before: the same look-backs, so much earlier.
-- Computed from the days as the lake knows them today, so late events count, and a first run has a past as well.
-- One row: a customer in a look-back in which the customer had earned something by then.
-- Key: customer_id, lookback_months
-- Refresh: by lookback_months through in_window
WITH earlier AS (
    SELECT
        lookback_months,
        CAST(starts_on - $migration_months AS DATE) AS starts_on,
        CAST(ends_before - $migration_months AS DATE) AS ends_before
    FROM derived.lookback
    WHERE lookback_months >= 0
),
in_window AS (
    SELECT d.customer_id, l.lookback_months, d.value
    FROM derived.customer_day AS d
    JOIN earlier AS l ON d.day >= l.starts_on AND d.day < l.ends_before
),
summed AS (
    SELECT customer_id, lookback_months, CAST(SUM(value) AS DECIMAL(18, 4)) AS value
    FROM in_window
    GROUP BY customer_id, lookback_months
)
SELECT
    customer_id,
    lookback_months,
    value,
    NTILE(10) OVER (PARTITION BY lookback_months ORDER BY value DESC, MD5(customer_id), customer_id) AS decile
FROM summed
