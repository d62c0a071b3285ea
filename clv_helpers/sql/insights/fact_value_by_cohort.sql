-- What members have spent since they came, by the quarter of their first purchase. Only ages that the whole cohort has
-- reached: a younger one would look worse than it is.
-- months_since: whole months from the cohort's first month; spend_so_far: added up to that month.
-- One row: a cohort and an age in months.
-- Key: cohort, months_since
WITH cohorts AS (
    SELECT membership_number, CAST(DATE_TRUNC('quarter', first_purchase_on) AS DATE) AS cohort
    FROM profile.member
    WHERE NOT first_purchase_on IS NULL
),
sizes AS (
    SELECT cohort, COUNT(*) AS members FROM cohorts GROUP BY cohort
),
spent AS (
    SELECT
        c.cohort,
        CAST((EXTRACT(YEAR FROM f.month) - EXTRACT(YEAR FROM c.cohort)) * 12
            + EXTRACT(MONTH FROM f.month) - EXTRACT(MONTH FROM c.cohort) AS INT) AS months_since,
        SUM(f.spend) AS spend,
        COUNT(DISTINCT f.membership_number) AS active_members
    FROM cohorts AS c
    JOIN insights.fact_member_month AS f ON f.membership_number = c.membership_number
    GROUP BY 1, 2
),
reached AS (
    SELECT
        s.*,
        (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM s.cohort)) * 12
            + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM s.cohort) AS age
    FROM spent AS s
    CROSS JOIN derived.as_of AS a
)
SELECT
    r.cohort,
    CONCAT(CAST(EXTRACT(YEAR FROM r.cohort) AS VARCHAR), ' Q', CAST(EXTRACT(QUARTER FROM r.cohort) AS VARCHAR)) AS cohort_quarter,
    r.months_since,
    z.members,
    CAST(r.spend AS DOUBLE) AS spend,
    CAST(r.active_members AS DOUBLE) / z.members AS share_active,
    CAST(SUM(r.spend) OVER (PARTITION BY r.cohort ORDER BY r.months_since) AS DOUBLE) / z.members AS spend_so_far_per_member
FROM reached AS r
JOIN sizes AS z ON z.cohort = r.cohort
WHERE r.months_since >= 0 AND r.months_since < r.age
