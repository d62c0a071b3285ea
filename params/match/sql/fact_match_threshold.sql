-- How right the matches are, and how many of those on both lists they find, by the probability from which on two are
-- taken for one; with Wilson's intervals (95 %).
-- One row: a threshold and a figure.
-- Key: threshold, figure
WITH thresholds AS (
    SELECT UNNEST([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999]) AS threshold
),
counted AS (
    SELECT
        t.threshold,
        'Precision' AS figure,
        COUNT(DISTINCT p.customer_id) AS customers,
        COUNT(DISTINCT CASE WHEN p.is_right THEN p.customer_id END) AS hits
    FROM thresholds AS t
    JOIN insights.match_pair AS p ON p.probability >= t.threshold AND p.outcome <> 'held apart'
    GROUP BY t.threshold
    UNION ALL
    SELECT
        t.threshold,
        'Recall' AS figure,
        COUNT(DISTINCT b.customer_id) AS customers,
        COUNT(DISTINCT CASE WHEN b.probability >= t.threshold THEN b.customer_id END) AS hits
    FROM thresholds AS t
    CROSS JOIN insights.match_truth AS b
    GROUP BY t.threshold
)
SELECT
    CAST(threshold AS DOUBLE) AS threshold,
    FORMAT('{}%', ROUND(100.0 * threshold, 1)) AS from_probability,
    figure,
    customers,
    hits / customers AS share,
    (hits + 1.92 - 1.96 * SQRT(hits * (customers - hits) / customers + 0.96)) / (customers + 3.84) AS share_low,
    (hits + 1.92 + 1.96 * SQRT(hits * (customers - hits) / customers + 0.96)) / (customers + 3.84) AS share_high
FROM counted
