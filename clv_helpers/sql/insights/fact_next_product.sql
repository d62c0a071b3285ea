-- What is bought next: who had a product on the first purchase day, and another on the second; none where the purchases
-- name no products. Of the 50 products with which most began and the 50 that most bought second, each of 30 customers or
-- more.
-- lift: customers over those expected, who would have bought it too if the first day told nothing: as many as its lines
-- are of all lines of second days of that quarter and of like size, times the lines of each one's second day. So neither
-- a season nor large baskets make a lift. low, high: Byar's interval of a Poisson count (Breslow & Day 1987), 95 % for all
-- pairs together: the normal quantile is bounded by SQRT(2 LN(pairs / 0.05)). above_chance: 1 where it lies above 1.
-- One row: a product of the first purchase day, and one of the second that at least one customer bought after it.
-- Key: product_id, next_product_id
-- Relation: product_id -> insights.dim_product.product_id
WITH bought AS (
    SELECT DISTINCT
        customer_id,
        CAST(occurred_at AS DATE) AS day,
        COALESCE(NULLIF(product_id, ''), product) AS product_id
    FROM lake.purchases
    WHERE $has_products AND occurred_at < $as_of AND $counts_as_spend AND $is_purchase
        AND NOT COALESCE(NULLIF(product_id, ''), NULLIF(product, '')) IS NULL
),
first_bought AS (
    SELECT b.customer_id, b.product_id
    FROM bought AS b
    JOIN derived.purchase_number AS p
        ON p.customer_id = b.customer_id AND p.purchased_on = b.day AND p.purchase_number = 1
    WHERE NOT p.next_purchased_on IS NULL
),
next_bought AS (
    SELECT
        b.customer_id,
        b.product_id,
        DATE_TRUNC('quarter', b.day) AS quarter,
        COUNT(*) OVER (PARTITION BY b.customer_id) AS size
    FROM bought AS b
    JOIN derived.purchase_number AS p
        ON p.customer_id = b.customer_id AND p.next_purchased_on = b.day AND p.purchase_number = 1
),
basket AS (
    SELECT
        customer_id,
        quarter,
        MAX(size) AS size,
        CAST(FLOOR(LN(MAX(size)) / NULLIF(LN(2), 0) + 0.000001) AS INT) AS size_band
    FROM next_bought
    GROUP BY customer_id, quarter
),
first_places AS (
    SELECT
        product_id,
        COUNT(DISTINCT customer_id) AS customers,
        ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, product_id) AS place
    FROM first_bought
    GROUP BY product_id
    HAVING COUNT(*) >= 30
),
next_places AS (
    SELECT product_id, ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, product_id) AS place
    FROM next_bought
    GROUP BY product_id
    HAVING COUNT(*) >= 30
),
looks AS (
    SELECT COUNT(*) AS pairs
    FROM first_places AS f
    CROSS JOIN next_places AS n
    WHERE f.place <= 50 AND n.place <= 50
),
lines AS (
    SELECT quarter, size_band, CAST(SUM(size) AS DOUBLE) AS lines FROM basket GROUP BY quarter, size_band
),
popular AS (
    SELECT n.product_id, b.quarter, b.size_band, COUNT(*) / NULLIF(MAX(l.lines), 0) AS share_of_lines
    FROM next_bought AS n
    JOIN next_places AS p ON p.product_id = n.product_id AND p.place <= 50
    JOIN basket AS b ON b.customer_id = n.customer_id
    JOIN lines AS l ON l.quarter = b.quarter AND l.size_band = b.size_band
    GROUP BY n.product_id, b.quarter, b.size_band
),
followed AS (
    SELECT
        f.product_id,
        b.quarter,
        b.size_band,
        CAST(SUM(b.size) AS DOUBLE) AS lines
    FROM first_bought AS f
    JOIN first_places AS p ON p.product_id = f.product_id AND p.place <= 50
    JOIN basket AS b ON b.customer_id = f.customer_id
    GROUP BY f.product_id, b.quarter, b.size_band
),
expected AS (
    SELECT f.product_id, p.product_id AS next_product_id, SUM(f.lines * p.share_of_lines) AS expected
    FROM followed AS f
    JOIN popular AS p ON p.quarter = f.quarter AND p.size_band = f.size_band
    GROUP BY f.product_id, p.product_id
),
observed AS (
    SELECT f.product_id, n.product_id AS next_product_id, COUNT(DISTINCT f.customer_id) AS customers
    FROM first_bought AS f
    JOIN next_bought AS n ON n.customer_id = f.customer_id
    GROUP BY f.product_id, n.product_id
),
bounded AS (
    SELECT
        o.product_id,
        o.next_product_id,
        o.customers,
        p.customers AS customers_first,
        e.expected,
        o.customers / NULLIF(e.expected, 0) AS lift,
        o.customers / NULLIF(e.expected, 0) * POWER(GREATEST(
            1 - 1 / NULLIF(9 * CAST(o.customers AS DOUBLE), 0)
            - SQRT(2 * LN(k.pairs / 0.05)) / NULLIF(3 * SQRT(o.customers), 0), 0), 3) AS low,
        (o.customers + 1) / NULLIF(e.expected, 0) * POWER(
            1 - 1 / NULLIF(9 * CAST(o.customers + 1 AS DOUBLE), 0)
            + SQRT(2 * LN(k.pairs / 0.05)) / NULLIF(3 * SQRT(o.customers + 1), 0), 3) AS high
    FROM observed AS o
    JOIN expected AS e ON e.product_id = o.product_id AND e.next_product_id = o.next_product_id
    JOIN first_places AS p ON p.product_id = o.product_id
    CROSS JOIN looks AS k
)
SELECT
    b.product_id,
    b.next_product_id,
    d.product,
    n.product AS next_product,
    CASE WHEN b.product_id = b.next_product_id THEN 1 ELSE 0 END AS is_same,
    b.customers,
    b.customers_first,
    CAST(b.customers AS DOUBLE) / NULLIF(b.customers_first, 0) AS share_next,
    b.expected,
    b.lift,
    b.low,
    b.high,
    CASE WHEN b.low > 1 THEN 1 ELSE 0 END AS above_chance
FROM bounded AS b
LEFT JOIN insights.dim_product AS d ON d.product_id = b.product_id
LEFT JOIN insights.dim_product AS n ON n.product_id = b.next_product_id
