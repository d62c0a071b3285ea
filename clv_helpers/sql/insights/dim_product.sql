-- What was sold, with what it brought: none where the purchases name no products. A product is its product_id, or its
-- name where it has none; product: its newest name. lines and orders are of purchases, as are customers and quantity;
-- amount is net of refunds.
-- One row: a product; (not known) are the rows that name none.
-- Key: product_id
-- Check: (SELECT COALESCE(SUM(amount), 0) FROM insights.dim_product)
--   = (SELECT COALESCE(SUM(spend), 0) FROM derived.summary WHERE $has_products)
WITH lines AS (
    SELECT
        COALESCE(NULLIF(product_id, ''), NULLIF(product, ''), '(not known)') AS product_id,
        COALESCE(NULLIF(product, ''), NULLIF(product_id, ''), '(not known)') AS product,
        customer_id,
        COALESCE(NULLIF(order_id, ''), CONCAT(customer_id, ' ', CAST(occurred_at AS VARCHAR))) AS purchase,
        occurred_at,
        CAST(quantity AS DECIMAL(18, 4)) AS quantity,
        CAST($spend AS DECIMAL(18, 4)) AS spend,
        $is_purchase AS is_bought
    FROM lake.purchases
    WHERE $has_products AND occurred_at < $as_of AND $counts_as_spend
),
spellings AS (
    SELECT product_id, product, ROW_NUMBER() OVER (PARTITION BY product_id ORDER BY MAX(occurred_at) DESC, product) AS age
    FROM lines
    GROUP BY product_id, product
),
sold AS (
    SELECT
        product_id,
        CAST(MIN(CASE WHEN is_bought THEN occurred_at END) AS DATE) AS first_sold_on,
        COUNT(CASE WHEN is_bought THEN 1 END) AS lines,
        COUNT(DISTINCT CASE WHEN is_bought THEN purchase END) AS orders,
        COUNT(DISTINCT CASE WHEN is_bought THEN customer_id END) AS customers,
        CAST(SUM(CASE WHEN is_bought THEN quantity END) AS DECIMAL(18, 4)) AS quantity,
        CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 4)) AS amount
    FROM lines
    GROUP BY product_id
)
SELECT
    s.product_id,
    n.product,
    s.first_sold_on,
    s.lines,
    s.orders,
    s.customers,
    s.quantity,
    s.amount,
    CAST(s.amount AS DOUBLE) / NULLIF(SUM(s.amount) OVER (), 0) AS share_of_revenue
FROM sold AS s
JOIN spellings AS n ON n.product_id = s.product_id AND n.age = 1
