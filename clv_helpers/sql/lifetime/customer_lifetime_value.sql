-- Predicted value per customer: of the future only, over the horizon that the params give; NULL for nobody here.
-- probability_alive: that the customer has not left as of as_of, as the model in use sees it; who has not left may still
-- not buy in time. probability_purchase: of at least one purchase within the horizon. expected_purchases: within it.
-- expected_spend: per purchase day. lifetime_value: expected purchases, each discounted from the end of its month, times
-- expected spend, times the gross margin. historic_value: what was spent so far, times the margin.
-- decile_predicted: of lifetime_value, 1 = the best tenth; ties are broken by a stable hash.
-- next_purchase_expected: the day by which half of those who are still there with this history have bought again; past
-- for who is late. NULL where the customer has more likely left than not, or the day lies beyond the horizon.
-- overdue: the share of those who would have bought again in the days since the last purchase. From 0.9 on the customer is
-- called overdue: of the gaps of who has not left, one in ten grows so long.
-- value_at_risk: of who is overdue, lifetime_value times the chance of no purchase within the horizon, else 0; added up,
-- what of the forecast is likely to be with those who stay away. Late is not gone: the chance is the model's, moved by what
-- became of who was overdue at earlier cut-offs.
-- purchases_low, purchases_high; lifetime_value_low, lifetime_value_high: with a chance of 10 % it is at most the low, with
-- one of 90 % at most the high, or the next whole purchase; 0 is among them for most. lifetime_value_spread: its standard deviation.
-- One row: a customer with a purchase.
-- Key: customer_id
SELECT
    f.customer_id,
    f.probability_alive,
    f.expected_purchases,
    f.probability_purchase,
    f.expected_spend,
    f.lifetime_value,
    f.historic_value,
    CAST(COALESCE(b.decile, e.decile) AS BIGINT) AS decile_predicted,
    CASE
        WHEN f.probability_alive >= 0.5 AND f.due_in_days <= $horizon_days
            THEN CAST(DATE_ADD($as_of, f.due_in_days) AS DATE)
    END AS next_purchase_expected,
    f.overdue,
    CASE WHEN f.overdue >= $overdue THEN f.lifetime_value * f.probability_no_purchase ELSE 0 END AS value_at_risk,
    f.purchases_low,
    f.purchases_high,
    f.lifetime_value_low,
    f.lifetime_value_high,
    f.lifetime_value_spread
FROM lifetime.customer_forecast AS f
JOIN lifetime.value_band AS b ON b.band = f.band
LEFT JOIN lifetime.edge_customer AS e ON e.customer_id = f.customer_id
