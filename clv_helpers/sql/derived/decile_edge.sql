-- How large each decile is, and where it begins and ends. Below ten members, decile 1 is not the top tenth.
-- One row: a decile in one category and look-back.
-- Key: category, lookback_months, decile
SELECT
    category,
    lookback_months,
    decile,
    COUNT(*) AS members,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases,
    MIN(value) AS lowest_value,
    MAX(value) AS highest_value
FROM derived.member_decile
GROUP BY category, lookback_months, decile
