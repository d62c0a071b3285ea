-- Rates over all campaigns by the decile that each person had at sending, with their 95 % interval (Wilson 1927).
WITH counted AS (
    SELECT kpi, decile, SUM(numerator) AS numerator, SUM(denominator) AS denominator
    FROM campaigns.fact_campaign_rate
    WHERE audience = 'ALL' AND decile > 0 AND kpi IN ('open rate', 'click rate')
    GROUP BY kpi, decile
),
rated AS (
    SELECT
        *,
        CAST(numerator AS DOUBLE) / NULLIF(denominator, 0) AS rate,
        CAST(3.8414588 AS DOUBLE) / NULLIF(denominator, 0) AS z
    FROM counted
)
SELECT
    kpi,
    decile,
    numerator,
    denominator,
    rate,
    GREATEST((rate + z / 2 - SQRT(z * (rate * (1 - rate) + z / 4))) / NULLIF(1 + z, 0), 0) AS low,
    LEAST((rate + z / 2 + SQRT(z * (rate * (1 - rate) + z / 4))) / NULLIF(1 + z, 0), 1) AS high
FROM rated
