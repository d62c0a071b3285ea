-- What the models knew of a customer on the last day of the calibration, and what the customer did after it.
-- history and cell as in lifetime.customer_history. purchases_before, spend_before: in the year up to that day (the status quo:
-- as last year). actual_purchases, actual_spend: in the holdout, from the day after on; repeat purchase days, refunds
-- netted; up to holdout_end.
-- One row: a customer who first bought in the calibration.
-- Key: customer_id
WITH by_day AS (
    SELECT customer_id, day, CAST(SUM(spend) AS DOUBLE) AS spend
    FROM derived.customer_day
    WHERE (purchases > 0 OR spend < 0) AND day <= $holdout_end
    GROUP BY customer_id, day
),
days AS (
    SELECT
        d.customer_id,
        d.day,
        d.spend,
        d.day <= $calibration_end AS known,
        d.day <= $calibration_end AND d.day > $year_before AS in_year_before,
        CASE WHEN d.spend < 0 THEN 0 ELSE 1 END AS is_purchase,
        r.purchases_so_far
    FROM by_day AS d
    LEFT JOIN lifetime.refunded_day AS r ON r.customer_id = d.customer_id AND r.day = d.day
),
by_customer AS (
    SELECT
        customer_id,
        MIN(CASE WHEN is_purchase = 1 THEN day END) AS first_on,
        MAX(CASE WHEN known AND is_purchase = 1 THEN day END) AS last_on,
        SUM(CASE WHEN known THEN is_purchase ELSE 0 END) - 1 AS frequency,
        SUM(CASE WHEN known THEN spend ELSE 0 END) AS spend,
        MIN_BY(spend, day) AS first_spend,
        SUM(CASE WHEN known AND purchases_so_far >= 2 THEN spend WHEN known AND purchases_so_far < 2 THEN 0 END) AS refunded_repeat_spend,
        SUM(CASE WHEN in_year_before THEN is_purchase ELSE 0 END) AS purchases_before,
        SUM(CASE WHEN in_year_before THEN spend ELSE 0 END) AS spend_before,
        SUM(CASE WHEN known THEN 0 ELSE is_purchase END) AS actual_purchases,
        SUM(CASE WHEN known THEN 0 ELSE spend END) AS actual_spend
    FROM days
    GROUP BY customer_id
)
SELECT
    c.customer_id,
    CAST(c.frequency AS INT) AS frequency,
    CAST(DATE_DIFF('day', c.first_on, c.last_on) AS INT) AS recency_days,
    CAST(DATE_DIFF('day', c.first_on, $calibration_end) AS INT) AS age_days,
    COALESCE(c.refunded_repeat_spend, c.spend - c.first_spend) AS repeat_spend,
    c.spend,
    c.purchases_before,
    c.spend_before,
    c.actual_purchases,
    c.actual_spend,
    COALESCE(x.cell, 0) AS cell
FROM by_customer AS c
LEFT JOIN lifetime.customer_cell AS x ON x.customer_id = c.customer_id
WHERE c.frequency >= 0
