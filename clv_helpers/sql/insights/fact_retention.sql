-- Of those who came in a month, who bought in each month of their life, and what they have spent by its end. Whole
-- months only, and cohorts of the last trend_months; the cohort of the month in which the data begin is left out, for
-- it holds those who had bought before.
-- came_in, months_after: cohort and month_of_life as texts.
-- month_of_life: 0 the month in which they came; also those months stand here in which nobody of the cohort bought.
-- One row: a cohort and a month of its life.
-- Key: cohort, month_of_life
-- Relation: cohort -> insights.dim_date.day
-- Check: (SELECT COUNT(*) FROM insights.fact_retention WHERE active_customers > customers) = 0
WITH whole_months AS (
    SELECT DISTINCT CAST(DATE_TRUNC('month', d.day) AS DATE) AS month
    FROM insights.dim_date AS d
    CROSS JOIN derived.as_of AS a
    WHERE d.day < DATE_TRUNC('month', a.as_of) AND d.day >= a.first_event_on
),
cohorts AS (
    SELECT v.customer_id, CAST(DATE_TRUNC('month', v.first_purchase_on) AS DATE) AS cohort
    FROM derived.customer_value AS v
    CROSS JOIN derived.as_of AS a
    WHERE v.first_purchase_on < DATE_TRUNC('month', a.as_of)
        AND DATE_TRUNC('month', v.first_purchase_on) > a.first_event_on
        AND (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM v.first_purchase_on)) * 12
        + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM v.first_purchase_on) <= $trend_months
),
sizes AS (
    SELECT cohort, COUNT(*) AS customers FROM cohorts GROUP BY cohort
),
bought AS (
    SELECT
        c.cohort,
        f.month,
        COUNT(DISTINCT CASE WHEN f.purchases > 0 THEN f.customer_id END) AS active_customers,
        SUM(f.spend) AS spend
    FROM cohorts AS c
    JOIN insights.fact_customer_month AS f ON f.customer_id = c.customer_id
    WHERE f.month >= c.cohort
    GROUP BY c.cohort, f.month
)
SELECT
    s.cohort,
    SUBSTRING(CAST(s.cohort AS VARCHAR), 1, 7) AS came_in,
    CAST((EXTRACT(YEAR FROM w.month) - EXTRACT(YEAR FROM s.cohort)) * 12
        + EXTRACT(MONTH FROM w.month) - EXTRACT(MONTH FROM s.cohort) AS INT) AS month_of_life,
    CAST(CAST((EXTRACT(YEAR FROM w.month) - EXTRACT(YEAR FROM s.cohort)) * 12
        + EXTRACT(MONTH FROM w.month) - EXTRACT(MONTH FROM s.cohort) AS INT) AS VARCHAR) AS months_after,
    s.customers,
    COALESCE(b.active_customers, 0) AS active_customers,
    CAST(COALESCE(b.active_customers, 0) AS DOUBLE) / s.customers AS share_active,
    COALESCE(b.spend, 0) AS spend,
    CAST(SUM(COALESCE(b.spend, 0)) OVER (PARTITION BY s.cohort ORDER BY w.month) AS DOUBLE) / s.customers
        AS spend_so_far_per_customer
FROM sizes AS s
JOIN whole_months AS w ON w.month >= s.cohort
LEFT JOIN bought AS b ON b.cohort = s.cohort AND b.month = w.month
