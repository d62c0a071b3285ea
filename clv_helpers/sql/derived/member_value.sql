-- Recency, frequency and value per member, in days. A day with several purchases counts once.
-- frequency: purchase days after the first. recency_days: from the first to the last of them.
-- age_days: from the first purchase day to as_of (the T of the lifetime models).
-- days_since_purchase: from the last purchase day to as_of. monetary_value: mean spend per repeat day.
-- One row: a member with at least one purchase day before as_of.
-- Key: membership_number
WITH by_day AS (
    SELECT membership_number, day, SUM(value) AS value, SUM(spend) AS spend, SUM(purchases) AS purchases
    FROM derived.member_day
    GROUP BY membership_number, day
),
firsts AS (
    SELECT membership_number, MIN(day) AS first_purchase_on
    FROM by_day
    WHERE purchases > 0
    GROUP BY membership_number
)
SELECT
    d.membership_number,
    f.first_purchase_on,
    MAX(CASE WHEN d.purchases > 0 THEN d.day END) AS last_purchase_on,
    COUNT(CASE WHEN d.purchases > 0 THEN 1 END) - 1 AS frequency,
    DATE_DIFF('day', f.first_purchase_on, MAX(CASE WHEN d.purchases > 0 THEN d.day END)) AS recency_days,
    DATE_DIFF('day', f.first_purchase_on, $as_of) AS age_days,
    DATE_DIFF('day', MAX(CASE WHEN d.purchases > 0 THEN d.day END), $as_of) AS days_since_purchase,
    SUM(d.purchases) AS purchases,
    SUM(d.value) AS value,
    SUM(d.spend) AS spend,
    AVG(CASE WHEN d.purchases > 0 AND d.day > f.first_purchase_on THEN CAST(d.spend AS DOUBLE) END) AS monetary_value
FROM by_day AS d
JOIN firsts AS f ON f.membership_number = d.membership_number
GROUP BY d.membership_number, f.first_purchase_on
