-- One row: a member's month in one category.
-- Key: membership_number, month, loyalty_status
-- Refresh: by membership_number, month through by_month
WITH by_month AS (
    SELECT membership_number, CAST(DATE_TRUNC('month', day) AS DATE) AS month, category, value, spend, purchases
    FROM derived.member_day
)
SELECT
    membership_number,
    month,
    category AS loyalty_status,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases
FROM by_month
GROUP BY membership_number, month, category
