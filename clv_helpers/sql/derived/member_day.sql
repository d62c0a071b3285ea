-- The ground floor: raw events folded once. Deciles, recency and frequency, months: all come from here.
-- value: the measure that deciles rank, of the transaction types that count as value.
-- spend: what the purchases of that day cost; purchases: how many there were.
-- One row: a member's day in one category.
-- Key: membership_number, day, category
WITH counted AS (
    SELECT
        membership_number,
        CAST(occurred_at AS DATE) AS day,
        COALESCE($category, $no_category) AS category,
        CASE WHEN $counts_as_value THEN $value_column END AS value,
        CASE WHEN $counts_as_purchase THEN $spend_column END AS spend,
        CASE WHEN $counts_as_purchase THEN 1 ELSE 0 END AS purchases
    FROM lake.loyalty_events
    WHERE occurred_at < $as_of AND ($counts_as_value OR $counts_as_purchase)
)
SELECT
    membership_number,
    day,
    category,
    COALESCE(SUM(value), 0) AS value,
    COALESCE(SUM(spend), 0) AS spend,
    SUM(purchases) AS purchases
FROM counted
GROUP BY membership_number, day, category
