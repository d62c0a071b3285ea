-- Orders: what the rows of one order_id of a customer, and the refunds that name it in refund_of, come to. All of it
-- counts on the day of the order's first row, however many days it is spread over; a refund whose order is not there
-- counts on its own day.
-- purchases: 1 in the category of the order's first row where the order comes to more than nothing (or where no amount
-- is known); an order that was paid back whole is none. Rows without an order are counted in derived.customer_day.
-- One row: an order of a customer, by the days of its rows and by category.
-- Key: customer_id, order_id, booked_on, category
-- Refresh: by customer_id, order_id through counted
WITH counted AS (
    SELECT
        customer_id,
        COALESCE(NULLIF(refund_of, ''), order_id) AS order_id,
        CAST(occurred_at AS DATE) AS booked_on,
        COALESCE($category, $no_category) AS category,
        CASE WHEN NULLIF(refund_of, '') IS NULL THEN occurred_at END AS ordered_at,
        CASE WHEN $counts_as_value THEN CAST($value AS DECIMAL(18, 4)) END AS value,
        CASE WHEN $counts_as_spend THEN CAST($spend AS DECIMAL(18, 4)) END AS spend,
        CASE WHEN $counts_as_spend AND $is_purchase AND NULLIF(refund_of, '') IS NULL THEN 1 ELSE 0 END AS is_bought,
        occurred_at
    FROM lake.purchases
    WHERE occurred_at < $as_of AND ($counts_as_value OR $counts_as_spend) AND $is_of_order
)
SELECT
    customer_id,
    order_id,
    booked_on,
    category,
    COALESCE(CAST(MIN(MIN(ordered_at)) OVER (PARTITION BY customer_id, order_id) AS DATE), booked_on) AS day,
    CAST(COALESCE(SUM(value), 0) AS DECIMAL(18, 4)) AS value,
    CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 4)) AS spend,
    CASE WHEN MAX(is_bought) = 1
        AND ROW_NUMBER() OVER (PARTITION BY customer_id, order_id
            ORDER BY MAX(is_bought) DESC, MIN(CASE WHEN is_bought = 1 THEN occurred_at END), category) = 1
        AND COALESCE(SUM(SUM(spend)) OVER (PARTITION BY customer_id, order_id) > 0, TRUE) THEN 1 ELSE 0 END AS purchases,
    MAX(occurred_at) AS last_at
FROM counted
GROUP BY customer_id, order_id, booked_on, category
