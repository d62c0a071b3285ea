-- RFM: how lately, how often and for how much each customer bought, as scores from 1 to 5 (5 is the best), and the
-- segment that they make. recency_score is by the last purchase day, frequency_score by purchase days after the first,
-- monetary_score by spend.
-- A score is the fifth in which the share of customers lies who are below: without ties these are quintiles. Equal
-- customers get the same score, that of the lowest of their places, so that one purchase day is 1 however many have no
-- more; fifths that ties fill up are then empty.
-- The segment goes by recency and by the mean of the two other scores, halves rounded up: see docs/deciles.md.
-- One row: a customer with at least one purchase day before as_of.
-- Key: customer_id
WITH placed AS (
    SELECT
        customer_id,
        RANK() OVER (ORDER BY last_purchase_on) - 1 AS less_recent,
        RANK() OVER (ORDER BY frequency) - 1 AS less_frequent,
        RANK() OVER (ORDER BY spend) - 1 AS less_spent,
        COUNT(*) OVER () AS customers
    FROM derived.customer_value
),
scored AS (
    SELECT
        customer_id,
        CAST(FLOOR(5 * less_recent / customers) AS INTEGER) + 1 AS recency_score,
        CAST(FLOOR(5 * less_frequent / customers) AS INTEGER) + 1 AS frequency_score,
        CAST(FLOOR(5 * less_spent / customers) AS INTEGER) + 1 AS monetary_score
    FROM placed
),
weighed AS (
    SELECT *, CAST(CEIL((frequency_score + monetary_score) / 2) AS INTEGER) AS weight FROM scored
)
SELECT
    customer_id,
    recency_score,
    frequency_score,
    monetary_score,
    CASE
        WHEN recency_score = 5 AND weight >= 4 THEN 'champions'
        WHEN recency_score >= 3 AND weight >= 4 THEN 'loyal'
        WHEN recency_score >= 4 AND weight >= 2 THEN 'potential loyalists'
        WHEN recency_score = 5 THEN 'new'
        WHEN recency_score = 4 THEN 'promising'
        WHEN recency_score = 3 AND weight = 3 THEN 'need attention'
        WHEN recency_score = 3 THEN 'about to sleep'
        WHEN weight = 5 THEN 'cannot lose them'
        WHEN weight >= 3 THEN 'at risk'
        WHEN recency_score = 2 OR weight = 2 THEN 'hibernating'
        ELSE 'lost'
    END AS rfm_segment
FROM weighed
