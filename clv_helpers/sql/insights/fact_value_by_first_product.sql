-- What became of customers, by what they bought first; none where the purchases name no products.
-- share_came_back: of the customers, those who bought on a further day.
-- One row: the customers whose first purchase was of a product; (not known) are those of whom it names none.
-- Key: product_id
-- Relation: product_id -> insights.dim_product.product_id
-- Check: (SELECT COALESCE(SUM(spend), 0) FROM insights.fact_value_by_first_product)
--   = (SELECT COALESCE(SUM(spend), 0) FROM derived.customer_value WHERE $has_products)
WITH first_bought AS (
    SELECT
        COALESCE(p.first_product_id, '(not known)') AS product_id,
        COUNT(*) AS customers,
        COUNT(CASE WHEN v.frequency > 0 THEN 1 END) AS came_back,
        SUM(v.spend) AS spend
    FROM derived.customer_value AS v
    LEFT JOIN derived.customer_product AS p ON p.customer_id = v.customer_id
    WHERE $has_products
    GROUP BY 1
)
SELECT
    f.product_id,
    d.product,
    f.customers,
    f.came_back,
    f.spend,
    CAST(f.spend AS DOUBLE) / f.customers AS spend_per_customer,
    CAST(f.came_back AS DOUBLE) / f.customers AS share_came_back,
    CAST(f.customers AS DOUBLE) / SUM(f.customers) OVER () AS share_of_customers
FROM first_bought AS f
LEFT JOIN insights.dim_product AS d ON d.product_id = f.product_id
