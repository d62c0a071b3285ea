-- The holdout, customer by customer: what the model, the same rate as before (naive) and last year (status quo) forecast,
-- and what came. In the model's a baseline has a part as in lifetime.customer_forecast. model_probability: of at least
-- one purchase, by the model.
-- One row: a customer who first bought in the calibration.
-- Key: customer_id
WITH spent AS (
    SELECT
        *,
        $expected_spend AS expected_spend,
        $baseline_purchases * $baseline_purchases_weight AS more_purchases,
        $baseline_spend * $baseline_spend_weight AS more_spend
    FROM lifetime.customer_calibration
),
forecast AS (
    SELECT
        c.*,
        $kept * s.expected_purchases + c.more_purchases AS model_purchases,
        s.probability_purchase AS model_probability,
        $kept * s.expected_purchases * c.expected_spend + c.more_spend AS model_spend,
        c.frequency * $holdout_days / NULLIF(CAST(c.age_days AS DOUBLE), 0) AS rate_purchases,
        c.purchases_before * $status_quo_ratio AS status_quo_purchases,
        c.spend_before * $status_quo_ratio AS status_quo_spend
    FROM spent AS c
    JOIN lifetime.calibration_score AS s
        ON s.frequency = c.frequency AND s.recency_days = c.recency_days AND s.age_days = c.age_days
            AND s.cell = c.cell
)
SELECT
    customer_id,
    frequency,
    actual_purchases,
    actual_spend,
    model_purchases,
    model_probability,
    model_spend,
    COALESCE(rate_purchases, 0) AS naive_purchases,
    COALESCE(rate_purchases, 0) * spend / NULLIF(frequency + 1, 0) AS naive_spend,
    status_quo_purchases,
    status_quo_spend
FROM forecast
