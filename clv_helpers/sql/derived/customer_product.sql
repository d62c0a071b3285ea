-- What a customer bought first, and last: of the first (the last) order the line with the largest amount. Rows without
-- an order are of one order where they are of one moment.
-- One row: a customer with a purchase of a product that is known.
-- Key: customer_id
-- Refresh: by customer_id through bought
WITH bought AS (
    SELECT
        customer_id,
        occurred_at,
        COALESCE(NULLIF(order_id, ''), CAST(occurred_at AS VARCHAR)) AS purchase,
        COALESCE(NULLIF(product_id, ''), product) AS product_id,
        COALESCE(NULLIF(product, ''), product_id) AS product,
        COALESCE(CAST($spend AS DECIMAL(18, 4)), 0) AS spend
    FROM lake.purchases
    WHERE $has_products AND occurred_at < $as_of AND $counts_as_spend AND $is_purchase
        AND NOT COALESCE(NULLIF(product_id, ''), NULLIF(product, '')) IS NULL
),
purchases AS (
    SELECT customer_id, purchase, MIN(occurred_at) AS purchased_at FROM bought GROUP BY customer_id, purchase
),
ends AS (
    SELECT customer_id, MIN(purchased_at) AS first_at, MAX(purchased_at) AS last_at FROM purchases GROUP BY customer_id
),
edges AS (
    SELECT p.customer_id, p.purchase, p.purchased_at = e.first_at AS is_first, p.purchased_at = e.last_at AS is_last
    FROM purchases AS p
    JOIN ends AS e ON e.customer_id = p.customer_id AND p.purchased_at IN (e.first_at, e.last_at)
),
placed AS (
    SELECT
        b.customer_id,
        b.product_id,
        b.product,
        e.is_first,
        e.is_last,
        ROW_NUMBER() OVER (
            PARTITION BY b.customer_id, e.is_first ORDER BY b.spend DESC, b.product_id, b.product
        ) AS from_first,
        ROW_NUMBER() OVER (
            PARTITION BY b.customer_id, e.is_last ORDER BY b.spend DESC, b.product_id, b.product
        ) AS from_last
    FROM bought AS b
    JOIN edges AS e ON e.customer_id = b.customer_id AND e.purchase = b.purchase
)
SELECT
    customer_id,
    MAX(CASE WHEN is_first AND from_first = 1 THEN product_id END) AS first_product_id,
    MAX(CASE WHEN is_first AND from_first = 1 THEN product END) AS first_product,
    MAX(CASE WHEN is_last AND from_last = 1 THEN product_id END) AS last_product_id,
    MAX(CASE WHEN is_last AND from_last = 1 THEN product END) AS last_product
FROM placed
GROUP BY customer_id
