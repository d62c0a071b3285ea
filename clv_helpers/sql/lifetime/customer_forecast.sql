-- Predicted value per customer, before it is ranked; see lifetime.customer_lifetime_value.
-- band: the value to within 0.2 %, by which customers are ranked without sorting them all.
-- due_in_days: from as_of to the day by which half of those still there with this history have bought again; below 0 it
-- is past. probability_no_purchase: of none within the horizon; of who is overdue, as many stayed away as were overdue at
-- earlier cut-offs (see lifetime.overdue_outcome). overdue: see lifetime.customer_lifetime_value.
-- One row: a customer with a purchase.
-- Key: customer_id
-- Refresh: view
WITH spent AS (
    SELECT *, CASE WHEN repeat_spend > 0 THEN $spend_of_repeater ELSE $spend_of_others END AS expected_spend
    FROM lifetime.customer_history
),
valued AS (
    SELECT
        h.customer_id,
        s.probability_alive,
        s.expected_purchases,
        s.probability_purchase,
        h.expected_spend,
        s.discounted_purchases * h.expected_spend * $margin AS lifetime_value,
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
