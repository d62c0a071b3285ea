-- The concentration curves: members sorted from the most to the least valuable, in steps of one hundredth; once by
-- value and once by spend, each sorted for itself. Which of several equal members comes first changes no sum.
-- One row: a hundredth of the members.
-- Key: percent_of_members
WITH ranked AS (
    SELECT
        value,
        spend,
        NTILE(100) OVER (ORDER BY value DESC) AS percent_by_value,
        NTILE(100) OVER (ORDER BY spend DESC) AS percent_by_spend
    FROM derived.member_value
),
by_value AS (
    SELECT percent_by_value AS percent_of_members, SUM(value) AS value FROM ranked GROUP BY percent_by_value
),
by_spend AS (
    SELECT percent_by_spend AS percent_of_members, SUM(spend) AS spend FROM ranked GROUP BY percent_by_spend
)
SELECT
    v.percent_of_members,
    v.value,
    s.spend,
    CAST(SUM(v.value) OVER (ORDER BY v.percent_of_members) AS DOUBLE) / NULLIF(SUM(v.value) OVER (), 0) AS share_of_value,
    CAST(SUM(s.spend) OVER (ORDER BY v.percent_of_members) AS DOUBLE) / NULLIF(SUM(s.spend) OVER (), 0) AS share_of_spend
FROM by_value AS v
JOIN by_spend AS s ON s.percent_of_members = v.percent_of_members
