-- Customers gained, lost and won back by month. A customer counts as lost in the month that ends lost_after_months
-- without a purchase, and as won back with the purchase that ends such a silence.
-- change: with its sign, so that the three add up to the change of the customers who count as active.
-- Who came in the month in which the data begin may have come before, and is not told as gained.
-- One row: a month and a movement. Whole months only, as many as trend_months.
-- Key: month, movement
-- Relation: month -> insights.dim_date.day
WITH bought AS (
    SELECT customer_id, month FROM insights.fact_customer_month GROUP BY customer_id, month HAVING SUM(purchases) > 0
),
silences AS (
    SELECT
        customer_id,
        month,
        LAG(month) OVER (PARTITION BY customer_id ORDER BY month) AS month_before,
        LEAD(month) OVER (PARTITION BY customer_id ORDER BY month) AS month_after
    FROM bought
),
movements AS (
    SELECT customer_id, month, 'Gained' AS movement FROM silences WHERE month_before IS NULL
    UNION ALL
    SELECT customer_id, month, 'Won back' AS movement FROM silences WHERE month_before + $lost_after < month
    UNION ALL
    SELECT customer_id, CAST(month + $lost_after AS DATE) AS month, 'Lost' AS movement
    FROM silences
    WHERE month_after IS NULL OR month + $lost_after < month_after
)
SELECT
    m.month,
    m.movement,
    CASE m.movement WHEN 'Gained' THEN 1 WHEN 'Won back' THEN 2 ELSE 3 END AS movement_order,
    COUNT(DISTINCT m.customer_id) AS customers,
    CASE WHEN m.movement = 'Lost' THEN -1 ELSE 1 END * COUNT(DISTINCT m.customer_id) AS change
FROM movements AS m
CROSS JOIN derived.as_of AS a
WHERE m.month < DATE_TRUNC('month', a.as_of) AND m.month > a.first_event_on
    AND (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM m.month)) * 12
    + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM m.month) <= $trend_months
GROUP BY m.month, m.movement
