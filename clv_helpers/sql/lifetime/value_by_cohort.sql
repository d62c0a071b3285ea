-- What customers who came in the same quarter will bring, by prediction.
-- cohort: the first day of the quarter of the first purchase; in the one in which the data begin also those are who had
-- bought before. value_low, value_high: the 80 % interval of lifetime_value, as in lifetime.value_by_decile.
-- One row: a quarter in which customers came.
-- Key: cohort
WITH summed AS (
    SELECT
        CAST(DATE_TRUNC('quarter', DATE_ADD($as_of, -1 - h.age_days)) AS DATE) AS cohort,
        COUNT(*) AS customers,
        SUM(v.lifetime_value) AS lifetime_value,
        AVG(v.probability_purchase) AS share_purchase,
        SUM(v.expected_purchases) AS expected_purchases,
        SUM(v.historic_value) / NULLIF(COUNT(*), 0) AS historic_value_per_customer,
        SUM(v.lifetime_value_spread * v.lifetime_value_spread) AS variance
    FROM lifetime.customer_lifetime_value AS v
    JOIN lifetime.customer_history AS h ON h.customer_id = v.customer_id
    GROUP BY 1
),
spread AS (
    SELECT
        *,
        $z_80 * SQRT($level_variance + COALESCE(variance / NULLIF(lifetime_value * lifetime_value, 0), 0)) AS width
    FROM summed
)
SELECT
    cohort,
    CONCAT(CAST(EXTRACT(YEAR FROM cohort) AS VARCHAR), ' Q', CAST(EXTRACT(QUARTER FROM cohort) AS VARCHAR)) AS first_quarter,
    customers,
    lifetime_value,
    lifetime_value / NULLIF(customers, 0) AS value_per_customer,
    lifetime_value / NULLIF(SUM(lifetime_value) OVER (), 0) AS share_of_value,
    share_purchase,
    expected_purchases,
    historic_value_per_customer,
    lifetime_value * EXP(-width) AS value_low,
    lifetime_value * EXP(width) AS value_high
FROM spread
