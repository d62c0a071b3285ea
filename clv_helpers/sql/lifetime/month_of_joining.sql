-- When customers bought for the first time, and what they spent on that day. In the first months of the data are also
-- those who had bought before it begins.
-- One row: a whole month before as_of in which a customer bought for the first time.
-- Key: month
WITH joined AS (
    SELECT
        CAST(DATE_TRUNC('month', DATE_ADD($as_of, -age_days - 1)) AS DATE) AS month,
        CAST(spend - repeat_spend AS DECIMAL(18, 4)) AS first_spend
    FROM lifetime.customer_history
)
SELECT month, COUNT(*) AS customers, CAST(SUM(first_spend) AS DOUBLE) AS spend
FROM joined
WHERE month < DATE_TRUNC('month', $as_of)
GROUP BY month
