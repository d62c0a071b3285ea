-- What the data hold in all: enough to predict from or not, and what of them a prediction does not use. Days are counted
-- to as_of. refunded_days: days of refunds, which are no purchases; refunds_before_purchase: those with none before.
-- repeated_rows: of no order, alike in customer, moment and amount to another (0 where events have a key). correlation_of_frequency_and_spend: of spend
-- per purchase with frequency among those who came back; Gamma-Gamma takes it to be 0. recent_purchases: purchase days in
-- the last horizon_days; earlier_customers: who had bought before them, and made the earlier_customers_purchases.
-- One row: the workbook as of as_of.
-- Key: as_of
WITH histories AS (
    SELECT
        COUNT(*) AS customers,
        COUNT(CASE WHEN frequency >= 1 THEN 1 END) AS repeaters,
        COUNT(CASE WHEN frequency >= 2 THEN 1 END) AS with_three_purchases,
        COALESCE(MAX(age_days) + 1, 0) AS history_days,
        COALESCE(MIN(age_days - recency_days) + 1, 0) AS quiet_days,
        COALESCE(SUM(spend), 0) AS spend,
        COUNT(CASE WHEN age_days >= $horizon_days THEN 1 END) AS earlier_customers,
        COUNT(CASE WHEN frequency > 0 AND repeat_spend <= 0 THEN 1 END) AS repeaters_without_spend
    FROM lifetime.customer_history
),
refunds AS (
    SELECT
        COUNT(CASE WHEN is_purchase = 0 THEN 1 END) AS refunded_days,
        COUNT(DISTINCT customer_id) AS refunded_customers,
        COUNT(CASE WHEN is_purchase = 0 AND purchases_so_far = 0 THEN 1 END) AS refunds_before_purchase
    FROM lifetime.refunded_day
),
by_day AS (
    SELECT d.customer_id, d.day, MAX(h.age_days) AS age_days, SUM(d.spend) AS spend
    FROM derived.customer_day AS d
    JOIN lifetime.customer_history AS h ON h.customer_id = d.customer_id
    WHERE (d.purchases > 0 OR d.spend < 0) AND DATE_DIFF('day', d.day, $as_of) <= $horizon_days
    GROUP BY d.customer_id, d.day
),
recent AS (
    SELECT
        COUNT(*) AS recent_purchases,
        COUNT(CASE WHEN age_days >= $horizon_days THEN 1 END) AS earlier_customers_purchases
    FROM by_day
    WHERE spend >= 0
),
related AS (
    SELECT CORR(CAST(frequency AS DOUBLE), repeat_spend / NULLIF(frequency, 0)) AS correlation_of_frequency_and_spend
    FROM lifetime.customer_history
    WHERE frequency > 0 AND repeat_spend > 0
),
later AS (
    SELECT COUNT(*) AS events_after_as_of FROM lake.purchases WHERE occurred_at >= $as_of
),
repeats AS (
    SELECT COUNT(*) AS same
    FROM lake.purchases
    WHERE NOT $has_event_key AND occurred_at < $as_of AND $counts_as_spend AND NOT $is_of_order
    GROUP BY customer_id, occurred_at, $spend
    HAVING COUNT(*) > 1
),
repeated AS (
    SELECT CAST(COALESCE(SUM(same - 1), 0) AS BIGINT) AS repeated_rows FROM repeats
)
SELECT
    $as_of AS as_of,
    h.customers,
    h.repeaters,
    h.with_three_purchases,
    h.history_days,
    h.quiet_days,
    h.repeaters_without_spend,
    h.spend,
    h.earlier_customers,
    n.recent_purchases,
    n.earlier_customers_purchases,
    f.refunded_days,
    f.refunded_customers,
    f.refunds_before_purchase,
    l.events_after_as_of,
    r.repeated_rows,
    c.correlation_of_frequency_and_spend
FROM histories AS h
CROSS JOIN refunds AS f
CROSS JOIN recent AS n
CROSS JOIN later AS l
CROSS JOIN repeated AS r
CROSS JOIN related AS c
