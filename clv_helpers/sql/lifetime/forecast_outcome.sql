-- What was bought since a logged forecast was made, beside what it expected: of the newest twelve forecasts that are a
-- month old or more, up to the end of their last whole month (of 30.4375 days). Both sides are of the customers known
-- on the forecast's day.
-- One row: a logged forecast and a decile of predicted value as of then.
-- Key: as_of, decile
WITH logged AS (
    SELECT as_of, DATE_DIFF('day', as_of, $as_of) AS days, MAX(month) AS months FROM lifetime.forecast GROUP BY as_of
),
judged AS (
    SELECT as_of, LEAST(CAST(FLOOR(days / 30.4375) AS BIGINT), months) AS month
    FROM logged
    WHERE days / 30.4375 >= 1
    ORDER BY as_of DESC
    LIMIT 12
),
by_day AS (
    SELECT m.as_of, m.decile, d.customer_id, d.day, CAST(SUM(d.spend) AS DOUBLE) AS spend
    FROM lake.forecast_customer AS m
    JOIN judged AS j ON j.as_of = m.as_of
    JOIN derived.customer_day AS d ON d.customer_id = m.customer_id
    WHERE d.day >= j.as_of AND DATE_DIFF('day', j.as_of, d.day) < ROUND(j.month * 30.4375)
        AND (d.purchases > 0 OR d.spend < 0)
    GROUP BY m.as_of, m.decile, d.customer_id, d.day
),
realized AS (
    SELECT as_of, decile, COUNT(CASE WHEN spend >= 0 THEN 1 END) AS purchases, SUM(spend) AS spend
    FROM by_day
    GROUP BY as_of, decile
)
SELECT
    f.run,
    f.as_of,
    f.model,
    f.decile,
    f.month,
    f.customers,
    f.expected_purchases,
    COALESCE(r.purchases, 0) AS realized_purchases,
    f.expected_spend,
    COALESCE(r.spend, 0) AS realized_spend
FROM lifetime.forecast AS f
JOIN judged AS j ON j.as_of = f.as_of AND j.month = f.month
LEFT JOIN realized AS r ON r.as_of = f.as_of AND r.decile = f.decile
