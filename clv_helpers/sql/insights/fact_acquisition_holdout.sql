-- How the forecast fared by channel, against all channels together: the models know no channels, and give the customers
-- of a good one too little until their own purchases tell. Nothing where acquisition is not asked for.
-- actual, forecast: spend in the holdout (see lifetime.customer_holdout); NULL where there was none of the channel.
-- factor: what the forecasts of the channel are multiplied by; variance: of its logarithm. Both are the posterior of a
-- normal with a standard deviation of 0.15, as far as forecasts of shops are usually off, seen through the holdout's
-- error, whose variance is in proportion to the forecast.
-- One row: a channel by which customers came.
-- Key: channel
WITH came AS (
    SELECT channel, COUNT(*) AS customers FROM profile.first_channel GROUP BY channel
),
judged AS (
    SELECT f.channel, CAST(h.model_spend AS DOUBLE) AS forecast, CAST(h.actual_spend AS DOUBLE) AS actual
    FROM lifetime.customer_holdout AS h
    JOIN profile.first_channel AS f ON f.customer_id = h.customer_id
),
everyone AS (
    SELECT
        SUM(forecast) AS forecast,
        SUM(actual) AS actual,
        SUM((actual - forecast) * (actual - forecast)) / NULLIF(SUM(forecast), 0) AS dispersion
    FROM judged
),
by_channel AS (
    SELECT channel, SUM(forecast) AS forecast, SUM(actual) AS actual FROM judged GROUP BY channel
),
compared AS (
    SELECT
        c.channel,
        c.customers,
        b.forecast,
        b.actual,
        CASE
            WHEN b.actual > 0 AND b.forecast > 0 AND e.actual > 0
                THEN LN(b.actual / NULLIF(b.forecast, 0)) - LN(e.actual / NULLIF(e.forecast, 0))
        END AS error,
        e.dispersion / NULLIF(b.forecast, 0) AS variance
    FROM came AS c
    LEFT JOIN by_channel AS b ON b.channel = c.channel
    CROSS JOIN everyone AS e
)
SELECT
    channel,
    customers,
    forecast,
    actual,
    EXP(COALESCE(error * 0.0225 / NULLIF(0.0225 + variance, 0), 0)) AS factor,
    CASE WHEN error IS NULL THEN 0.0225 ELSE 0.0225 * variance / NULLIF(0.0225 + variance, 0) END AS variance
FROM compared
