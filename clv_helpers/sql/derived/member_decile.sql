-- Deciles of value per category and look-back; 1 is the best tenth. Category ALL ranks everyone together.
-- Equal values are told apart by a stable hash of the membership number, so that each run draws the same line.
-- One row: a member in one category and look-back in which the member earned something.
-- Key: membership_number, category, lookback_months
-- Refresh: by lookback_months through in_window
WITH in_window AS (
    SELECT d.membership_number, d.category, l.lookback_months, d.value, d.spend, d.purchases
    FROM derived.member_day AS d
    JOIN derived.lookback AS l ON d.day >= l.starts_on AND d.day < l.ends_before
),
by_category AS (
    SELECT
        membership_number,
        category,
        lookback_months,
        CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
        CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend,
        CAST(SUM(purchases) AS BIGINT) AS purchases
    FROM in_window
    GROUP BY membership_number, category, lookback_months
),
together AS (
    SELECT
        membership_number,
        $no_category AS category,
        lookback_months,
        CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
        CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend,
        CAST(SUM(purchases) AS BIGINT) AS purchases
    FROM by_category
    GROUP BY membership_number, lookback_months
),
summed AS (
    SELECT * FROM by_category WHERE category <> $no_category
    UNION ALL
    SELECT * FROM together
)
SELECT
    membership_number,
    category,
    lookback_months,
    value,
    spend,
    purchases,
    NTILE(10) OVER (PARTITION BY category, lookback_months ORDER BY value DESC, MD5(membership_number), membership_number) AS decile
FROM summed
