-- The dearest product that a customer looked at, for ten seconds or more, within four days and since the last order.
-- Of two at one price the one with the greater number, so that the order of rows does not matter.
-- One row: a customer who looked at a product and has not ordered since.
-- Key: customer_id
-- Attribute of: customer
WITH ordered AS (
    SELECT customer_id, MAX(occurred_at) AS last_at
    FROM lake.purchases
    WHERE occurred_at < $as_of
    GROUP BY customer_id
),
looked_at AS (
    SELECT w.customer_id, w.product_id
    FROM lake.web AS w
    LEFT JOIN ordered AS o ON o.customer_id = w.customer_id
    WHERE w.occurred_at < $as_of
      AND w.occurred_at >= $as_of - INTERVAL 4 DAY
      AND w.seconds >= 10
      AND (o.last_at IS NULL OR w.occurred_at >= o.last_at)
),
product AS (
    SELECT product_id, product, price, ROW_NUMBER() OVER (PARTITION BY product_id ORDER BY _batch_id DESC) AS age
    FROM lake.products
)
SELECT
    l.customer_id,
    MAX_BY(p.product_id, {'price': p.price, 'product_id': p.product_id}) AS dearest_sku,
    MAX_BY(p.product, {'price': p.price, 'product_id': p.product_id}) AS dearest_product,
    MAX(p.price) AS dearest_price
FROM looked_at AS l
JOIN product AS p ON p.product_id = l.product_id AND p.age = 1
GROUP BY l.customer_id
