-- The bands of frequency and recency, by which charts group customers.
-- One row: a customer with at least one purchase day before as_of.
-- Key: customer_id
-- Refresh: view
WITH ages AS (
    SELECT v.customer_id, v.frequency, DATE_DIFF('day', v.last_purchase_on, a.as_of) AS days_since_purchase
    FROM derived.customer_value AS v
    CROSS JOIN derived.as_of AS a
)
SELECT
    customer_id,
    CASE
        WHEN frequency = 0 THEN '0'
        WHEN frequency = 1 THEN '1'
        WHEN frequency <= 3 THEN '2–3'
        WHEN frequency <= 6 THEN '4–6'
        WHEN frequency <= 12 THEN '7–12'
        ELSE '13+'
    END AS frequency_band,
    CASE
        WHEN frequency = 0 THEN 0
        WHEN frequency = 1 THEN 1
        WHEN frequency <= 3 THEN 2
        WHEN frequency <= 6 THEN 3
        WHEN frequency <= 12 THEN 4
        ELSE 5
    END AS frequency_order,
    CASE
        WHEN days_since_purchase <= 30 THEN 'last 30 days'
        WHEN days_since_purchase <= 90 THEN '31–90 days'
        WHEN days_since_purchase <= 180 THEN '91–180 days'
        WHEN days_since_purchase <= 365 THEN '181–365 days'
        ELSE 'over a year'
    END AS recency_band,
    CASE
        WHEN days_since_purchase <= 30 THEN 0
        WHEN days_since_purchase <= 90 THEN 1
        WHEN days_since_purchase <= 180 THEN 2
        WHEN days_since_purchase <= 365 THEN 3
        ELSE 4
    END AS recency_order
FROM ages
