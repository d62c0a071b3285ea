-- The first purchase days of a customer, counted, each with the next: what becomes of a first, second … order.
-- next_purchased_on: the purchase day after it; empty where none has come yet.
-- One row: one of the first four purchase days of a customer.
-- Key: customer_id, purchase_number
-- Refresh: by customer_id
WITH purchase_day AS (
    SELECT customer_id, day FROM derived.customer_day GROUP BY customer_id, day HAVING SUM(purchases) > 0
),
numbered AS (
    SELECT
        customer_id,
        CAST(ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY day) AS INT) AS purchase_number,
        day AS purchased_on,
        LEAD(day) OVER (PARTITION BY customer_id ORDER BY day) AS next_purchased_on
    FROM purchase_day
)
SELECT customer_id, purchase_number, purchased_on, next_purchased_on FROM numbered WHERE purchase_number <= 4
