-- What a customer bought and spent in the year up to as_of, as lifetime.customer_calibration counts it; nothing unless
-- the forecast leans on last year.
-- One row: a customer who bought, or got something back, in that year.
-- Key: customer_id
WITH by_day AS (
    SELECT customer_id, day, CAST(SUM(spend) AS DOUBLE) AS spend
    FROM derived.customer_day
    WHERE $leans_on_last_year AND day > $last_year_after AND day < $as_of AND (purchases > 0 OR spend < 0)
    GROUP BY customer_id, day
)
SELECT
    customer_id,
    SUM(CASE WHEN spend < 0 THEN 0 ELSE 1 END) AS purchases_before,
    SUM(spend) AS spend_before
FROM by_day
GROUP BY customer_id
