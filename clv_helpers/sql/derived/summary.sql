-- The workbook at a glance. customers have bought at least once; purchases and purchase_days are theirs. spend and value
-- are those of all accepted events: also of those who only brought goods back (refund_only_customers,
-- refund_only_spend). paid_nothing: customers whose purchases and refunds come to nothing or less.
-- One row: the workbook.
-- Key: as_of
WITH bought AS (
    SELECT
        COUNT(*) AS customers,
        COUNT(CASE WHEN frequency > 0 THEN 1 END) AS came_back,
        COUNT(CASE WHEN spend <= 0 THEN 1 END) AS paid_nothing,
        CAST(COALESCE(SUM(purchases), 0) AS BIGINT) AS purchases,
        CAST(COALESCE(SUM(frequency + 1), 0) AS BIGINT) AS purchase_days,
        COALESCE(SUM(spend), 0) AS spend
    FROM derived.customer_value
),
counted AS (
    SELECT COUNT(DISTINCT customer_id) AS customers, SUM(spend) AS spend, SUM(value) AS value
    FROM derived.customer_day
)
SELECT
    a.as_of,
    a.first_event_on,
    a.last_event_on,
    a.events,
    b.customers,
    CAST(b.came_back AS DOUBLE) / NULLIF(b.customers, 0) AS share_with_repeat,
    b.purchases,
    b.purchase_days,
    b.paid_nothing,
    c.customers - b.customers AS refund_only_customers,
    c.spend - b.spend AS refund_only_spend,
    c.spend,
    c.value
FROM derived.as_of AS a
CROSS JOIN bought AS b
CROSS JOIN counted AS c
