-- Events summed up by customer and day, once: deciles, recency and frequency, months all come from here.
-- value: the measure that deciles rank, of the transaction types that count as value.
-- spend: what the purchases of that day cost, refunds taken away; purchases: how many there were, refunds not among
-- them. An order is one purchase, and counts with its refunds on the day of its first row (see derived.customer_order).
-- Of rows without an order, what a customer bought at one moment of a day is one purchase, however many rows tell of it
-- (the lines of an invoice), and counts in the first of its categories; where only the day is known, each row is one.
-- last_at: the last event that counts on the day. The signs are those of value.negative and value.debit_types in the
-- params. Sums are exact decimals, so that they do not depend on the order in which events come.
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
        CASE WHEN $counts_as_spend AND $is_purchase THEN 1 ELSE 0 END AS is_bought,
        occurred_at
    FROM lake.purchases
    WHERE occurred_at < $as_of AND ($counts_as_value OR $counts_as_spend) AND NOT $is_of_order
),
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY customer_id, day, occurred_at, is_bought ORDER BY category) AS place
    FROM counted
),
purchased AS (
    SELECT
        customer_id,
        day,
        category,
        value,
        spend,
        CASE WHEN place = 1 OR occurred_at = day THEN is_bought ELSE 0 END AS purchases,
        occurred_at AS last_at
    FROM numbered
    UNION ALL
    SELECT customer_id, day, category, value, spend, purchases, last_at FROM derived.customer_order
)
SELECT
    customer_id,
    day,
    category,
    CAST(COALESCE(SUM(value), 0) AS DECIMAL(18, 4)) AS value,
    CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 4)) AS spend,
    CAST(SUM(purchases) AS BIGINT) AS purchases,
    MAX(last_at) AS last_at
FROM purchased
GROUP BY customer_id, day, category
