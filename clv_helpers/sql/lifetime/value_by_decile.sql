-- What each decile of the customers will bring, by prediction.
-- share_alive: of the customers, the share that has not left as of as_of; share_purchase: that buys within the horizon.
-- One row: a decile of predicted value (1 = the best tenth).
-- Key: decile
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
    SUM(historic_value) / COUNT(*) AS historic_value_per_customer
FROM lifetime.customer_lifetime_value
GROUP BY decile_predicted
