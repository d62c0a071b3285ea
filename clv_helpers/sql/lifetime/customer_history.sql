-- What the models know of a customer as of as_of. frequency: purchase days after the first; recency_days: days from the
-- first purchase day to the last; age_days: to the day before as_of, the last one known, as in the calibration. repeat_spend: spent on the days after the first, refunds netted.
-- cell: the levels of the covariates (see lifetime.customer_cell), 0 without any.
-- One row: a customer with a purchase.
-- Key: customer_id
WITH refunded AS (
    SELECT
        customer_id,
        SUM(is_purchase) - 1 AS frequency,
        MIN(CASE WHEN is_purchase = 1 THEN day END) AS first_on,
        MAX(CASE WHEN is_purchase = 1 THEN day END) AS last_on,
        SUM(CASE WHEN purchases_so_far >= 2 THEN spend ELSE 0 END) AS repeat_spend,
        SUM(CASE WHEN purchases_so_far >= 1 THEN spend ELSE 0 END) AS spend
    FROM lifetime.refunded_day
    GROUP BY customer_id
)
SELECT
    v.customer_id,
    CAST(v.frequency AS INT) AS frequency,
    CAST(v.recency_days AS INT) AS recency_days,
    CAST(DATE_DIFF('day', v.first_purchase_on, $as_of) - 1 AS INT) AS age_days,
    COALESCE(v.monetary_value * v.frequency, 0) AS repeat_spend,
    CAST(v.spend AS DOUBLE) AS spend,
    COALESCE(x.cell, 0) AS cell
FROM derived.customer_value AS v
LEFT JOIN lifetime.customer_cell AS x ON x.customer_id = v.customer_id
LEFT JOIN refunded AS r ON r.customer_id = v.customer_id
WHERE r.customer_id IS NULL
UNION ALL
SELECT
    r.customer_id,
    CAST(r.frequency AS INT) AS frequency,
    CAST(DATE_DIFF('day', r.first_on, r.last_on) AS INT) AS recency_days,
    CAST(DATE_DIFF('day', r.first_on, $as_of) - 1 AS INT) AS age_days,
    r.repeat_spend,
    r.spend,
    COALESCE(x.cell, 0) AS cell
FROM refunded AS r
LEFT JOIN lifetime.customer_cell AS x ON x.customer_id = r.customer_id
WHERE r.frequency >= 0
