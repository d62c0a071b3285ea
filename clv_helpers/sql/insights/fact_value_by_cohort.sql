-- What customers have spent since they came, by the quarter of their first purchase. Only whole quarters, so that every
-- cohort is seen at the same age. share_active: of the cohort, those who bought in that quarter.
-- first_quarter: the cohort's name; in the one in which the data begin also those are who had bought before.
-- quarter: the quarter of their life, 1 the one in which they came; spend_so_far_per_customer: up to its end.
-- One row: a cohort and a quarter of its life.
-- Key: cohort, quarter
-- Check: (SELECT COUNT(*) FROM insights.fact_value_by_cohort WHERE share_active > 1) = 0
WITH cohorts AS (
    SELECT customer_id, CAST(DATE_TRUNC('quarter', first_purchase_on) AS DATE) AS cohort
    FROM profile.customer
    WHERE NOT first_purchase_on IS NULL
),
sizes AS (
    SELECT cohort, COUNT(*) AS customers FROM cohorts GROUP BY cohort
),
spent AS (
    SELECT
        c.cohort,
        CAST((EXTRACT(YEAR FROM f.month) - EXTRACT(YEAR FROM c.cohort)) * 4
            + EXTRACT(QUARTER FROM f.month) - EXTRACT(QUARTER FROM c.cohort) + 1 AS INT) AS quarter,
        SUM(f.spend) AS spend,
        COUNT(DISTINCT f.customer_id) AS active_customers
    FROM cohorts AS c
    JOIN insights.fact_customer_month AS f ON f.customer_id = c.customer_id
    CROSS JOIN derived.as_of AS a
    WHERE f.month < DATE_TRUNC('quarter', a.as_of) AND f.month >= c.cohort
    GROUP BY 1, 2
)
SELECT
    s.cohort,
    CONCAT(CAST(EXTRACT(YEAR FROM s.cohort) AS VARCHAR), ' Q', CAST(EXTRACT(QUARTER FROM s.cohort) AS VARCHAR),
        CASE WHEN s.cohort = DATE_TRUNC('quarter', a.first_event_on) THEN ' (data begin)' ELSE '' END) AS first_quarter,
    s.quarter,
    CAST(s.quarter AS VARCHAR) AS quarter_of_life,
    z.customers,
    CAST(s.spend AS DOUBLE) AS spend,
    CAST(s.active_customers AS DOUBLE) / z.customers AS share_active,
    CAST(SUM(s.spend) OVER (PARTITION BY s.cohort ORDER BY s.quarter) AS DOUBLE) / z.customers AS spend_so_far_per_customer
FROM spent AS s
JOIN sizes AS z ON z.cohort = s.cohort
CROSS JOIN derived.as_of AS a
