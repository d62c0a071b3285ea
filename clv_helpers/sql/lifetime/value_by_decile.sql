-- What each decile of the customers will bring, by prediction.
-- share_alive: of the customers, the share that has not left as of as_of; share_purchase: that buys within the horizon.
-- value_low, value_high: the 80 % interval of lifetime_value, of the level (as far as all customers' totals were off) and
-- of chance together.
-- One row: a decile of predicted value (1 = the best tenth).
-- Key: decile
WITH summed AS (
    SELECT
        decile_predicted AS decile,
        COUNT(*) AS customers,
        SUM(lifetime_value) AS lifetime_value,
        SUM(lifetime_value) / COUNT(*) AS value_per_customer,
        SUM(lifetime_value) / NULLIF(SUM(SUM(lifetime_value)) OVER (), 0) AS share_of_value,
        MIN(lifetime_value) AS lowest_value,
        MAX(lifetime_value) AS highest_value,
        AVG(probability_alive) AS share_alive,
        AVG(probability_purchase) AS share_purchase,
        SUM(expected_purchases) AS expected_purchases,
        AVG(expected_purchases) AS purchases_per_customer,
        SUM(historic_value) / COUNT(*) AS historic_value_per_customer,
        SUM(lifetime_value_spread * lifetime_value_spread) AS variance
    FROM lifetime.customer_lifetime_value
    GROUP BY decile_predicted
),
spread AS (
    SELECT
        *,
        $z_80 * SQRT($level_variance + COALESCE(variance / NULLIF(lifetime_value * lifetime_value, 0), 0)) AS width
    FROM summed
)
SELECT
    decile,
    customers,
    lifetime_value,
    value_per_customer,
    share_of_value,
    lowest_value,
    highest_value,
    share_alive,
    share_purchase,
    expected_purchases,
    purchases_per_customer,
    historic_value_per_customer,
    lifetime_value * EXP(-width) AS value_low,
    lifetime_value * EXP(width) AS value_high
FROM spread
