-- Predicted value per customer, before it is ranked; see lifetime.customer_lifetime_value. Purchases and spend are the
-- model's, or by weights those of a baseline too (see clv_helpers/lifetime/baselines.py); the rest is the model's alone.
-- band: the value to within 0.2 %, by which customers are ranked without sorting them all.
-- due_in_days: from as_of to the day by which half of those still there with this history have bought again; below 0 it
-- is past. probability_no_purchase: of none within the horizon; of who is overdue, as many stayed away as were overdue at
-- earlier cut-offs (see lifetime.overdue_outcome). overdue: see lifetime.customer_lifetime_value.
-- One row: a customer with a purchase.
-- Key: customer_id
-- Refresh: view
WITH known AS (
    SELECT
        h.*,
        COALESCE(y.purchases_before, 0) AS purchases_before,
        COALESCE(y.spend_before, 0) AS spend_before
    FROM lifetime.customer_history AS h
    LEFT JOIN lifetime.customer_last_year AS y ON y.customer_id = h.customer_id
),
spent AS (
    SELECT
        *,
        $expected_spend AS expected_spend,
        $baseline_purchases * $baseline_purchases_weight AS more_purchases,
        $baseline_spend * $baseline_spend_weight AS more_spend
    FROM known
),
valued AS (
    SELECT
        h.customer_id,
        s.probability_alive,
        $kept * s.expected_purchases + h.more_purchases AS expected_purchases,
        s.probability_purchase,
        CASE
            WHEN h.more_purchases > 0
                THEN ($kept * s.expected_purchases * h.expected_spend + h.more_spend)
                    / NULLIF($kept * s.expected_purchases + h.more_purchases, 0)
            ELSE h.expected_spend
        END AS expected_spend,
        ($kept * s.discounted_purchases * h.expected_spend + h.more_spend * $discount) * $margin AS lifetime_value,
        s.purchases_low,
        s.purchases_high,
        s.discounted_low * h.expected_spend * $margin AS lifetime_value_low,
        s.discounted_high * h.expected_spend * $margin AS lifetime_value_high,
        s.discounted_spread * h.expected_spend * $margin AS lifetime_value_spread,
        h.spend * $margin AS historic_value,
        CAST(s.gap_days - (h.age_days - h.recency_days) - 1 AS INT) AS due_in_days,
        s.overdue,
        s.probability_no_purchase
    FROM spent AS h
    JOIN lifetime.score AS s
        ON s.frequency = h.frequency AND s.recency_days = h.recency_days AND s.age_days = h.age_days
            AND s.cell = h.cell
)
SELECT
    *,
    CASE WHEN lifetime_value > 0 THEN CAST(FLOOR(LN(lifetime_value) * 500) AS BIGINT) ELSE -1000000 END AS band
FROM valued
