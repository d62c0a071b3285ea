-- Of all cohorts old enough, who bought in each month after the one in which they came.
SELECT
    month_of_life,
    SUM(customers) AS customers,
    SUM(active_customers) AS active_customers,
    CAST(SUM(active_customers) AS DOUBLE) / SUM(customers) AS share_active
FROM insights.fact_retention
WHERE month_of_life > 0
GROUP BY month_of_life
