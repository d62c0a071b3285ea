-- Predicted value per member: of the future only, over the horizon that the params give; NULL for nobody here.
-- probability_alive: that the member buys again at all. expected_purchases, probability_of_purchase (at least one):
-- within the horizon. expected_spend: per purchase day. lifetime_value: expected purchases, each discounted from the
-- end of its month, times expected spend, times the gross margin. historic_value: what was spent so far, times the margin.
-- One row: a member with a purchase.
-- Key: membership_number
WITH spent AS (
    SELECT *, CASE WHEN repeat_spend > 0 THEN $spend_of_repeater ELSE $spend_of_others END AS expected_spend
    FROM lifetime.member_history
),
valued AS (
    SELECT
        h.membership_number,
        s.probability_alive,
        s.expected_purchases,
        s.probability_of_purchase,
        s.discounted_purchases,
        h.expected_spend,
        h.spend * $margin AS historic_value
    FROM spent AS h
    JOIN lifetime.score AS s
        ON s.frequency = h.frequency AND s.recency_days = h.recency_days AND s.age_days = h.age_days
),
multiplied AS (
    SELECT *, discounted_purchases * expected_spend * $margin AS lifetime_value
    FROM valued
)
SELECT
    membership_number,
    probability_alive,
    expected_purchases,
    probability_of_purchase,
    expected_spend,
    lifetime_value,
    historic_value,
    CAST(NTILE(10) OVER (ORDER BY lifetime_value DESC, MD5(membership_number), membership_number) AS BIGINT) AS decile_predicted
FROM multiplied
