-- What each month brought, refunds taken away: the side of last year in lifetime.plan_by_month.
-- customers: who bought or got something back in it.
-- One row: a whole month before as_of in which something was bought or given back.
-- Key: month
WITH spent AS (
    SELECT customer_id, CAST(DATE_TRUNC('month', day) AS DATE) AS month, SUM(spend) AS spend
    FROM derived.customer_day
    WHERE day < DATE_TRUNC('month', $as_of) AND (purchases > 0 OR spend < 0)
    GROUP BY 1, 2
)
SELECT month, COUNT(*) AS customers, CAST(SUM(spend) AS DOUBLE) AS spend
FROM spent
GROUP BY month
