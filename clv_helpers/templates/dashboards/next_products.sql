-- What is bought next more often than chance, each pair with its interval; or one row that says that nothing is.
WITH found AS (
    SELECT * FROM insights.fact_next_product WHERE above_chance = 1 AND is_same = 0
)
SELECT
    COALESCE(f.product, 'none') AS product,
    COALESCE(f.next_product, 'none') AS next_product,
    f.customers,
    f.share_next,
    f.lift,
    f.low,
    f.high,
    CASE
        WHEN f.lift IS NULL THEN 'No other product follows more often than chance'
        ELSE CONCAT(f.next_product, ' follows ', f.product, ' more often than chance')
    END AS finding
FROM derived.as_of AS a
LEFT JOIN found AS f ON TRUE
