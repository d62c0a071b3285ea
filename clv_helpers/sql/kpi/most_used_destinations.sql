-- One row: a destination; of the twenty that the most audiences go to.
-- Key: destination
-- Refresh: view
SELECT destination, COUNT(DISTINCT audience) AS audiences
FROM insights.bridge_audience_destination
GROUP BY destination
ORDER BY audiences DESC, destination
LIMIT 20
