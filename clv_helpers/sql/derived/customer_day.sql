-- Events summed up by customer and day, once: deciles, recency and frequency, months all come from here.
-- value: the measure that deciles rank, of the transaction types that count as value.
-- spend: what the purchases of that day cost, refunds taken away; purchases: how many there were, refunds not among
-- them. last_at: the day's last event (UTC). The signs are those of value.negative and value.debit_types in the params.
-- Sums are exact decimals, so that they do not depend on the order in which events come.
-- One row: a customer's day in one category.
-- Key: customer_id, day, category
-- Refresh: by customer_id, day through counted
WITH counted AS (
    SELECT
        customer_id,
        CAST(occurred_at AS DATE) AS day,
        COALESCE($category, $no_category) AS category,
        CASE WHEN $counts_as_value THEN CAST($value AS DECIMAL(18, 4)) END AS value,
        CASE WHEN $counts_as_spend THEN CAST($spend AS DECIMAL(18, 4)) END AS spend,
        CASE WHEN $counts_as_spend AND $is_purchase THEN 1 ELSE 0 END AS purchases,
        occurred_at
    FROM lake.purchases
    WHERE occurred_at < $as_of AND ($counts_as_value OR $counts_as_spend)
)
SELECT
    customer_id,
    day,
    category,
    CAST(COALESCE(SUM(value), 0) AS DECIMAL(18, 4)) AS value,
    CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 4)) AS spend,
    CAST(SUM(purchases) AS BIGINT) AS purchases,
    MAX(occurred_at) AS last_at
FROM counted
GROUP BY customer_id, day, category
