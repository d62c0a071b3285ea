-- RFM: how lately, how often and for how much each customer bought, as scores from 1 to 5 (5 is the best), and the
-- segment that they make: today, and as it stood a month before, by the days as the lake knows them today, so that a first
-- run has a past as well. recency_score is by the last purchase day, frequency_score by purchase days after the first,
-- monetary_score by spend.
-- A score is the fifth in which the share of customers lies who are below: without ties these are quintiles. Equal
-- customers get the same score, that of the lowest of their places, so that one purchase day is 1 however many have no
-- more; fifths that ties fill up are then empty.
-- The segment goes by recency and by the mean of the two other scores, halves rounded up: see docs/deciles.md.
-- One row: a customer with a purchase day before as_of, or before the same day a month ago (months_ago 1).
-- Key: customer_id, months_ago
WITH seen_since AS (
    SELECT DISTINCT d.customer_id
    FROM derived.customer_day AS d
    CROSS JOIN derived.as_of AS a
    WHERE d.day >= DATE_ADD(a.as_of, INTERVAL '-1' MONTH)
),
known AS (
    SELECT customer_id, last_purchase_on, frequency, spend, 0 AS months_ago FROM derived.customer_value
    UNION ALL
    -- most customers have no day in the last month: they stood as they stand, and their days need not be read
    SELECT v.customer_id, v.last_purchase_on, v.frequency, v.spend, 1 AS months_ago
    FROM derived.customer_value AS v
    LEFT JOIN seen_since AS s ON s.customer_id = v.customer_id
    WHERE s.customer_id IS NULL
    UNION ALL
    SELECT
        d.customer_id,
        MAX(CASE WHEN d.purchases > 0 THEN d.day END) AS last_purchase_on,
        COUNT(DISTINCT CASE WHEN d.purchases > 0 THEN d.day END) - 1 AS frequency,
        SUM(d.spend) AS spend,
        1 AS months_ago
    FROM derived.customer_day AS d
    JOIN seen_since AS s ON s.customer_id = d.customer_id
    CROSS JOIN derived.as_of AS a
    WHERE d.day < DATE_ADD(a.as_of, INTERVAL '-1' MONTH)
    GROUP BY d.customer_id
    HAVING SUM(d.purchases) > 0
),
placed AS (
    SELECT
        customer_id,
        months_ago,
        RANK() OVER (PARTITION BY months_ago ORDER BY last_purchase_on) - 1 AS less_recent,
        RANK() OVER (PARTITION BY months_ago ORDER BY frequency) - 1 AS less_frequent,
        RANK() OVER (PARTITION BY months_ago ORDER BY spend) - 1 AS less_spent,
        COUNT(*) OVER (PARTITION BY months_ago) AS customers
    FROM known
),
scored AS (
    SELECT
        customer_id,
        months_ago,
        CAST(FLOOR(5 * less_recent / NULLIF(customers, 0)) AS INTEGER) + 1 AS recency_score,
        CAST(FLOOR(5 * less_frequent / NULLIF(customers, 0)) AS INTEGER) + 1 AS frequency_score,
        CAST(FLOOR(5 * less_spent / NULLIF(customers, 0)) AS INTEGER) + 1 AS monetary_score
    FROM placed
),
weighed AS (
    SELECT *, CAST(CEIL((frequency_score + monetary_score) / 2) AS INTEGER) AS weight FROM scored
),
named AS (
    SELECT
        customer_id,
        months_ago,
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
)
SELECT
    *,
    CASE rfm_segment
        WHEN 'champions' THEN 1
        WHEN 'loyal' THEN 2
        WHEN 'potential loyalists' THEN 3
        WHEN 'new' THEN 4
        WHEN 'promising' THEN 5
        WHEN 'need attention' THEN 6
        WHEN 'about to sleep' THEN 7
        WHEN 'cannot lose them' THEN 8
        WHEN 'at risk' THEN 9
        WHEN 'hibernating' THEN 10
        ELSE 11
    END AS segment_order
FROM named
