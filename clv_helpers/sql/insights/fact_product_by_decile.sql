-- Which tenth of the customers brings a product's revenue; none where the purchases name no products. The 10 products of
-- the largest amount, the others together, and (all). decile: by everything a customer brought (decile_lifetime); 0: not
-- ranked, having brought nothing before the month of as_of. amount: net of refunds.
-- share_of_product: of the product's amount. share_of_decile: of what the decile brought.
-- One row: a product and a decile of customers.
-- Key: product_id, decile
-- Check: (SELECT COALESCE(SUM(amount), 0) FROM insights.fact_product_by_decile WHERE product_id <> '(all)')
--   = (SELECT COALESCE(SUM(amount), 0) FROM insights.dim_product)
WITH placed AS (
    SELECT
        product_id,
        product,
        CAST(ROW_NUMBER() OVER (ORDER BY CASE WHEN product_id = '(not known)' THEN 1 ELSE 0 END, amount DESC, product_id) AS INT) AS place
    FROM insights.dim_product
),
sold AS (
    SELECT
        customer_id,
        COALESCE(NULLIF(product_id, ''), NULLIF(product, ''), '(not known)') AS product_id,
        CAST($spend AS DECIMAL(18, 4)) AS amount
    FROM lake.purchases
    WHERE $has_products AND occurred_at < $as_of AND $counts_as_spend
),
known AS (
    SELECT
        s.customer_id,
        CASE WHEN p.place <= 10 THEN p.product_id ELSE '(others)' END AS product_id,
        CASE WHEN p.place <= 10 THEN p.product ELSE '(others)' END AS product,
        CASE WHEN p.place <= 10 THEN p.place ELSE 11 END AS place,
        COALESCE(d.decile, 0) AS decile,
        s.amount
    FROM sold AS s
    JOIN placed AS p ON p.product_id = s.product_id
    LEFT JOIN derived.customer_decile AS d
        ON d.customer_id = s.customer_id AND d.category = $no_category AND d.lookback_months = 0
),
summed AS (
    SELECT
        product_id,
        MAX(product) AS product,
        MAX(place) AS place,
        decile,
        COUNT(DISTINCT customer_id) AS customers,
        COALESCE(SUM(amount), 0) AS amount
    FROM known
    GROUP BY product_id, decile
    UNION ALL
    SELECT
        '(all)' AS product_id,
        '(all)' AS product,
        0 AS place,
        decile,
        COUNT(DISTINCT customer_id) AS customers,
        COALESCE(SUM(amount), 0) AS amount
    FROM known
    GROUP BY decile
)
SELECT
    product_id,
    product,
    place,
    CAST(decile AS INT) AS decile,
    customers,
    CAST(amount AS DECIMAL(18, 4)) AS amount,
    CAST(amount AS DOUBLE) / NULLIF(SUM(amount) OVER (PARTITION BY product_id), 0) AS share_of_product,
    CAST(amount AS DOUBLE)
        / NULLIF(SUM(CASE WHEN place > 0 THEN amount END) OVER (PARTITION BY decile), 0) AS share_of_decile
FROM summed
