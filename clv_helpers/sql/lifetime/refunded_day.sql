-- The days of members who on some day got back more than they spent. A day of refunds is no purchase day: its amount
-- nets against the purchase day before it. purchases_so_far: purchase days up to and including this day; a refund
-- before the first purchase has 0, and is left out.
-- One row: a day of a member with refunds.
-- Key: membership_number, day
WITH refunded AS (
    SELECT DISTINCT membership_number FROM derived.member_day WHERE spend < 0
),
by_day AS (
    SELECT d.membership_number, d.day, CAST(SUM(d.spend) AS DOUBLE) AS spend
    FROM derived.member_day AS d
    JOIN refunded AS r ON r.membership_number = d.membership_number
    WHERE d.purchases > 0 OR d.spend < 0
    GROUP BY d.membership_number, d.day
)
SELECT
    membership_number,
    day,
    spend,
    CASE WHEN spend < 0 THEN 0 ELSE 1 END AS is_purchase,
    SUM(CASE WHEN spend < 0 THEN 0 ELSE 1 END) OVER (PARTITION BY membership_number ORDER BY day) AS purchases_so_far
FROM by_day
