-- One row: an audience and a destination; of the twenty latest activations.
-- Key: audience, destination
-- Refresh: view
SELECT audience, destination, MAX(activated_at) AS activated_at
FROM insights.bridge_audience_destination
WHERE NOT activated_at IS NULL
GROUP BY audience, destination
ORDER BY activated_at DESC, audience, destination
LIMIT 20
