-- What was sold by month; none where the purchases name no products. lines, orders, customers and quantity are of
-- purchases; amount is net of refunds, each in the month in which it was booked.
-- One row: a product in a month.
-- Key: product_id, month
-- Relation: product_id -> insights.dim_product.product_id
-- Relation: month -> insights.dim_date.day
-- Check: (SELECT COALESCE(SUM(amount), 0) FROM insights.fact_product_month)
--   = (SELECT COALESCE(SUM(amount), 0) FROM insights.dim_product)
WITH lines AS (
    SELECT
        COALESCE(NULLIF(product_id, ''), NULLIF(product, ''), '(not known)') AS product_id,
        CAST(DATE_TRUNC('month', occurred_at) AS DATE) AS month,
        customer_id,
        COALESCE(NULLIF(order_id, ''), CONCAT(customer_id, ' ', CAST(occurred_at AS VARCHAR))) AS purchase,
        CAST(quantity AS DECIMAL(18, 4)) AS quantity,
        CAST($spend AS DECIMAL(18, 4)) AS spend,
        $is_purchase AS is_bought
    FROM lake.purchases
    WHERE $has_products AND occurred_at < $as_of AND $counts_as_spend
)
SELECT
    product_id,
    month,
    COUNT(CASE WHEN is_bought THEN 1 END) AS lines,
    COUNT(DISTINCT CASE WHEN is_bought THEN purchase END) AS orders,
    COUNT(DISTINCT CASE WHEN is_bought THEN customer_id END) AS customers,
    CAST(SUM(CASE WHEN is_bought THEN quantity END) AS DECIMAL(18, 4)) AS quantity,
    CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 4)) AS amount
FROM lines
GROUP BY product_id, month
