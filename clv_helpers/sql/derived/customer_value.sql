-- Frequency, recency and value per customer; nothing here moves with the day as of which it is read, so that only
-- customers with new events are computed again. Ages, which move each day, are in profile.customer.
-- A day with several purchases counts once. frequency: purchase days after the first.
-- recency_days: days from the first purchase day to the last. monetary_value: mean spend per repeat day.
-- One row: a customer with at least one purchase day before as_of.
-- Key: customer_id
-- Refresh: by customer_id
WITH by_day AS (
    SELECT
        customer_id,
        SUM(value) AS value,
        SUM(spend) AS spend,
        SUM(purchases) AS purchases,
        CASE WHEN SUM(purchases) > 0 THEN day END AS purchased_on
    FROM derived.customer_day
    GROUP BY customer_id, day
),
by_customer AS (
    SELECT
        customer_id,
        MIN(purchased_on) AS first_purchase_on,
        MAX(purchased_on) AS last_purchase_on,
        COUNT(purchased_on) - 1 AS frequency,
        SUM(CASE WHEN NOT purchased_on IS NULL THEN spend END) - MIN_BY(spend, purchased_on) AS repeat_spend,
        CAST(SUM(purchases) AS BIGINT) AS purchases,
        CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
        CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend
    FROM by_day
    GROUP BY customer_id
)
SELECT
    customer_id,
    first_purchase_on,
    last_purchase_on,
    frequency,
    DATE_DIFF('day', first_purchase_on, last_purchase_on) AS recency_days,
    purchases,
    value,
    spend,
    -- an exact sum divided once: a mean of floats would depend on the order in which they come
    CAST(repeat_spend AS DOUBLE) / NULLIF(frequency, 0) AS monetary_value
FROM by_customer
WHERE NOT first_purchase_on IS NULL
