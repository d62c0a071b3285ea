-- The ranking by bands of predicted value; decile is NULL where the edge between two deciles runs through the band.
-- One row: a band of predicted value that holds a customer.
-- Key: band
WITH counted AS (
    SELECT band, COUNT(*) AS customers FROM lifetime.customer_forecast GROUP BY band
),
placed AS (
    SELECT band, customers, SUM(customers) OVER (ORDER BY band DESC) AS last_place FROM counted
)
SELECT p.band, p.customers, p.last_place - p.customers + 1 AS first_place, p.last_place, d.decile
FROM placed AS p
LEFT JOIN lifetime.decile_place AS d
    ON d.first_place <= p.last_place - p.customers + 1 AND d.last_place >= p.last_place
