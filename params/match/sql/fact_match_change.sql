-- Who is found, by what is different on the second list: who differs in two things is in both rows.
-- One row: a difference.
-- Key: change
WITH changed AS (
    SELECT customer_id, probability, UNNEST(STRING_SPLIT(changes, ', ')) AS change FROM insights.match_truth
)
SELECT
    change,
    COUNT(DISTINCT customer_id) AS customers,
    COUNT(DISTINCT CASE WHEN probability >= 0.95 THEN customer_id END) / COUNT(DISTINCT customer_id) AS share_found
FROM changed
GROUP BY change
