-- What a customer of each channel has brought by the end of each month of life, over all cohorts: as it came, and where
-- they are younger as forecast. As far as every cohort of the channel is known or forecast.
WITH reach AS (
    SELECT channel, cohort, MAX(month_of_life) AS last_month
    FROM insights.fact_acquisition_month
    GROUP BY channel, cohort
),
shortest AS (SELECT MIN(last_month) AS last_month FROM reach)
SELECT
    m.channel,
    m.month_of_life,
    SUM(m.customers) AS customers,
    SUM(m.margin) / SUM(m.customers) AS value_per_customer,
    SUM(m.low * m.customers) / SUM(m.customers) AS value_low,
    SUM(m.high * m.customers) / SUM(m.customers) AS value_high
FROM insights.fact_acquisition_month AS m
JOIN shortest AS s ON m.month_of_life <= s.last_month
GROUP BY m.channel, m.month_of_life
