-- The members of the bands through which an edge runs: ranked one by one, equal values told apart by a stable hash.
-- One row: a member near an edge between deciles.
-- Key: membership_number
WITH near_edge AS (
    SELECT
        f.membership_number,
        b.first_place - 1 + ROW_NUMBER() OVER (
            PARTITION BY f.band ORDER BY f.lifetime_value DESC, MD5(f.membership_number), f.membership_number
        ) AS place
    FROM lifetime.member_forecast AS f
    JOIN lifetime.value_band AS b ON b.band = f.band
    WHERE b.decile IS NULL
)
SELECT n.membership_number, d.decile
FROM near_edge AS n
JOIN lifetime.decile_place AS d ON n.place BETWEEN d.first_place AND d.last_place
