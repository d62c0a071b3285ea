-- The concentration curve: members sorted from the most to the least valuable, in steps of one hundredth.
-- One row: a hundredth of the members.
-- Key: percent_of_members
WITH ranked AS (
    SELECT spend, NTILE(100) OVER (ORDER BY spend DESC, MD5(membership_number)) AS percent_of_members
    FROM derived.member_value
),
by_percent AS (
    SELECT percent_of_members, SUM(spend) AS spend
    FROM ranked
    GROUP BY percent_of_members
)
SELECT
    percent_of_members,
    spend,
    CAST(SUM(spend) OVER (ORDER BY percent_of_members) AS DOUBLE) / NULLIF(SUM(spend) OVER (), 0) AS share_of_spend
FROM by_percent
