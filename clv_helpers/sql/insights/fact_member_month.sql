-- One row: a member's month in one category.
-- Key: membership_number, month, loyalty_status
SELECT
    membership_number,
    CAST(DATE_TRUNC('month', day) AS DATE) AS month,
    category AS loyalty_status,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases
FROM derived.member_day
GROUP BY membership_number, DATE_TRUNC('month', day), category
