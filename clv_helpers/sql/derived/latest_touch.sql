-- The channels of the first and the last touch before the latest purchase of a customer (see derived.purchase_touch).
-- One row: a customer whose latest purchase has a touch.
-- Key: customer_id
-- Refresh: by customer_id
WITH latest AS (
    SELECT customer_id, MAX(day) AS day
    FROM derived.customer_day
    WHERE purchases > 0 AND customer_id IN (SELECT customer_id FROM derived.purchase_touch)
    GROUP BY customer_id
)
SELECT
    t.customer_id,
    MIN(CASE WHEN t.touch_number = 1 THEN t.channel END) AS first_touch,
    MIN(CASE WHEN t.touch_number = t.touches THEN t.channel END) AS last_touch
FROM derived.purchase_touch AS t
JOIN latest AS l ON l.customer_id = t.customer_id AND l.day = t.day
GROUP BY t.customer_id
