-- Deciles of value per category and look-back; 1 is the best 10 %. Category ALL ranks everyone together.
-- Equal values are ordered by a stable hash of the customer id, so that each run ranks them the same.
-- One row: a customer in one category and look-back in which the customer earned something.
-- Key: customer_id, category, lookback_months
-- Refresh: by lookback_months through in_window
WITH in_window AS (
    SELECT d.customer_id, d.category, l.lookback_months, d.value, d.spend, d.purchases
    FROM derived.customer_day AS d
    JOIN derived.lookback AS l ON d.day >= l.starts_on AND d.day < l.ends_before
),
by_category AS (
    SELECT
        customer_id,
        category,
        lookback_months,
        CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
        CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend,
        CAST(SUM(purchases) AS BIGINT) AS purchases
    FROM in_window
    GROUP BY customer_id, category, lookback_months
),
together AS (
    SELECT
        customer_id,
        $no_category AS category,
        lookback_months,
        CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
        CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend,
        CAST(SUM(purchases) AS BIGINT) AS purchases
    FROM by_category
    GROUP BY customer_id, lookback_months
),
summed AS (
    SELECT * FROM by_category WHERE category <> $no_category
    UNION ALL
    SELECT * FROM together
)
SELECT
    customer_id,
    category,
    lookback_months,
    value,
    spend,
    purchases,
    NTILE(10) OVER (PARTITION BY category, lookback_months ORDER BY value DESC, MD5(customer_id), customer_id) AS decile
FROM summed
