-- The workbook at a glance. customers have bought at least once; purchases and purchase_days are theirs. spend and value
-- are those of all accepted events: also of those who have no purchase that stands, but brought goods back or were paid
-- back whole (refund_only_customers, refund_only_spend). paid_nothing: customers whose purchases and refunds come to
-- nothing or less.
-- gross_spend: what was bought before anything was paid back; refunded_spend: what was paid back to refunded_customers,
-- in a row's own column or by rows below zero. Both are of all accepted events that count as spend.
-- One row: the workbook.
-- Key: as_of
-- Check: (SELECT MAX(ABS(gross_spend - refunded_spend - spend)) FROM derived.summary) = 0
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
),
amounts AS (
    SELECT customer_id, CAST($spend AS DECIMAL(18, 4)) AS spend, COALESCE($paid_back, 0) AS paid_back
    FROM lake.purchases
    WHERE occurred_at < $as_of AND $counts_as_spend
),
refunds AS (
    SELECT
        COALESCE(SUM(paid_back - CASE WHEN spend < 0 THEN spend ELSE 0 END), 0) AS refunded_spend,
        COUNT(DISTINCT CASE WHEN spend < 0 OR paid_back > 0 THEN customer_id END) AS refunded_customers,
        COALESCE(SUM(paid_back + CASE WHEN spend > 0 THEN spend ELSE 0 END), 0) AS gross_spend
    FROM amounts
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
    CAST(r.gross_spend AS DECIMAL(18, 4)) AS gross_spend,
    CAST(r.refunded_spend AS DECIMAL(18, 4)) AS refunded_spend,
    r.refunded_customers,
    c.spend,
    c.value
FROM derived.as_of AS a
CROSS JOIN bought AS b
CROSS JOIN counted AS c
CROSS JOIN refunds AS r
