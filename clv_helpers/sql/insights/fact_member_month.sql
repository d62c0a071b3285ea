-- One row: a member's month in one category.
-- Key: membership_number, month, loyalty_status
-- Refresh: by membership_number, month through by_month
-- Relation: month -> insights.dim_date.day
-- Relation: membership_number -> insights.dim_member_band.membership_number
-- Relation: loyalty_status -> insights.dim_loyalty_status.loyalty_status
-- Check: (SELECT COALESCE(SUM(value), 0) FROM insights.fact_member_month) = (SELECT COALESCE(SUM(value), 0) FROM derived.member_day)
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
