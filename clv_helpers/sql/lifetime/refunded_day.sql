-- The days of customers who on some day got back more than they spent. A day of refunds is no purchase day: its amount
-- nets against the purchase day before it. purchases_so_far: purchase days up to and including this day; a refund
-- before the first purchase has 0, and is not used.
-- One row: a day of a customer with refunds.
-- Key: customer_id, day
WITH refunded AS (
    SELECT DISTINCT customer_id FROM derived.customer_day WHERE spend < 0
),
by_day AS (
    SELECT d.customer_id, d.day, CAST(SUM(d.spend) AS DOUBLE) AS spend
    FROM derived.customer_day AS d
    JOIN refunded AS r ON r.customer_id = d.customer_id
    WHERE d.purchases > 0 OR d.spend < 0
    GROUP BY d.customer_id, d.day
)
SELECT
    customer_id,
    day,
    spend,
    CASE WHEN spend < 0 THEN 0 ELSE 1 END AS is_purchase,
    SUM(CASE WHEN spend < 0 THEN 0 ELSE 1 END) OVER (PARTITION BY customer_id ORDER BY day) AS purchases_so_far
FROM by_day
