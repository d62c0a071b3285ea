-- Rates over all campaigns by the decile that each person had at sending.
WITH counted AS (
    SELECT decile, kpi, SUM(numerator) AS numerator, SUM(denominator) AS denominator
    FROM campaigns.fact_campaign_rate
    WHERE audience = 'ALL' AND decile > 0 AND kpi IN ('open rate', 'click rate')
    GROUP BY decile, kpi
)
SELECT
    decile,
    MAX(denominator) AS accepted,
    MAX(CASE WHEN kpi = 'open rate' THEN numerator END) AS opened,
    MAX(CASE WHEN kpi = 'click rate' THEN numerator END) AS clicked,
    MAX(CASE WHEN kpi = 'open rate' THEN CAST(numerator AS DOUBLE) / denominator END) AS open_rate,
    MAX(CASE WHEN kpi = 'click rate' THEN CAST(numerator AS DOUBLE) / denominator END) AS click_rate
FROM counted
GROUP BY decile
