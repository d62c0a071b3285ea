-- The touches that came before a purchase of their customer, within the days that `attribution` in the params gives.
-- A purchase is what a customer bought on one day (see derived.customer_day); its moment is the day's last event that
-- counts, so that where only days are known, touches of the same day are not before it.
-- touch_number: 1 for the first of the purchase's touches; touches: how many it has. purchases, spend: of the day.
-- One row: a touch before a purchase; none where the params do not ask for attribution.
-- Key: customer_id, day, touch_number
-- Refresh: by customer_id through touch
WITH touch AS (
    SELECT customer_id, occurred_at, channel FROM $touch_events AS e WHERE occurred_at < $as_of
),
bought AS (
    SELECT
        customer_id,
        day,
        SUM(purchases) AS purchases,
        SUM(spend) AS spend,
        MAX(last_at) AS bought_at
    FROM derived.customer_day
    GROUP BY customer_id, day
    HAVING SUM(purchases) > 0
)
SELECT
    b.customer_id,
    b.day,
    ROW_NUMBER() OVER (PARTITION BY b.customer_id, b.day ORDER BY t.occurred_at, t.channel) AS touch_number,
    COUNT(*) OVER (PARTITION BY b.customer_id, b.day) AS touches,
    t.channel,
    t.occurred_at AS touched_at,
    CAST(b.purchases AS BIGINT) AS purchases,
    CAST(b.spend AS DECIMAL(18, 4)) AS spend
FROM bought AS b
JOIN touch AS t
  ON t.customer_id = b.customer_id AND t.occurred_at < b.bought_at AND t.occurred_at >= b.bought_at - $touch_window
