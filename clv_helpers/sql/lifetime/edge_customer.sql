-- The customers of the bands through which an edge runs: ranked one by one, ties broken by a stable hash.
-- One row: a customer near an edge between deciles.
-- Key: customer_id
WITH near_edge AS (
    SELECT
        f.customer_id,
        b.first_place - 1 + ROW_NUMBER() OVER (
            PARTITION BY f.band ORDER BY f.lifetime_value DESC, MD5(f.customer_id), f.customer_id
        ) AS place
    FROM lifetime.customer_forecast AS f
    JOIN lifetime.value_band AS b ON b.band = f.band
    WHERE b.decile IS NULL
)
SELECT n.customer_id, d.decile
FROM near_edge AS n
JOIN lifetime.decile_place AS d ON n.place BETWEEN d.first_place AND d.last_place
