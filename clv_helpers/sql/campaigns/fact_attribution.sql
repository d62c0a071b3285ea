-- Purchases credited to the touches before them: all of it to the first, all of it to the last, or to each alike
-- (linear). It says what came before, not what it caused: that is in campaigns.fact_effect, by a control group.
-- channel: as `by` in the params says; none: purchases without a touch within the days that the params give.
-- purchases, spend: what is credited; over the channels of a model they add up to all purchases, exactly: a part of a
-- linear split is what its touch adds when the first touches together are rounded down to a ten-thousandth.
-- customers: those of whom the channel is credited with something.
-- One row: a model (first touch, last touch, linear) and a channel; none where the params do not ask for attribution.
-- Key: model, channel
-- Check: (SELECT COUNT(DISTINCT spend) FROM (SELECT model, SUM(spend) AS spend FROM campaigns.fact_attribution GROUP BY model) AS m) <= 1
WITH model AS (
    SELECT 'first touch' AS model UNION ALL SELECT 'last touch' UNION ALL SELECT 'linear'
),
untouched AS (
    SELECT d.customer_id, SUM(d.purchases) AS purchases, SUM(d.spend) AS spend
    FROM derived.customer_day AS d
    LEFT JOIN derived.purchase_touch AS t
      ON t.customer_id = d.customer_id AND t.day = d.day AND t.touch_number = 1
    WHERE $has_attribution AND t.customer_id IS NULL
    GROUP BY d.customer_id, d.day
    HAVING SUM(d.purchases) > 0
),
whole AS (
    SELECT
        customer_id, touch_number, touches, channel,
        purchases * 10000 AS purchases,
        CAST(spend * 10000 AS BIGINT) AS spend
    FROM derived.purchase_touch
),
credited AS (
    SELECT 'first touch' AS model, channel, customer_id, purchases, spend FROM whole WHERE touch_number = 1
    UNION ALL
    SELECT 'last touch', channel, customer_id, purchases, spend FROM whole WHERE touch_number = touches
    UNION ALL
    SELECT
        'linear', channel, customer_id,
        purchases * touch_number // touches - purchases * (touch_number - 1) // touches,
        spend * touch_number // touches - spend * (touch_number - 1) // touches
    FROM whole
    UNION ALL
    SELECT m.model, 'none', u.customer_id, CAST(u.purchases * 10000 AS BIGINT), CAST(u.spend * 10000 AS BIGINT)
    FROM untouched AS u
    CROSS JOIN model AS m
)
SELECT
    model,
    channel,
    CAST(CAST(SUM(purchases) AS DECIMAL(28, 4)) / 10000 AS DECIMAL(18, 4)) AS purchases,
    CAST(CAST(SUM(spend) AS DECIMAL(28, 4)) / 10000 AS DECIMAL(18, 4)) AS spend,
    COUNT(DISTINCT customer_id) AS customers
FROM credited
GROUP BY model, channel
