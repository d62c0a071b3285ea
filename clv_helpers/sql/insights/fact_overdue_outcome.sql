-- Late is not gone: of those who were overdue at earlier cut-offs, the share who bought within the days after, beside what
-- the model in use would have said. low, high: the 95 % interval of Wilson (1927), as if each cut-off told of the same
-- customers: of as many as there are on the mean. None where there was no earlier cut-off.
-- One row: customers who had bought once or again, by how late they were then; and all of them (band 0).
-- Key: bought_once, band
WITH parts AS (
    SELECT bought_once, band, cut_off, days, customers, came_back, forecast FROM lifetime.overdue_outcome
    UNION ALL
    SELECT -1 AS bought_once, 0 AS band, cut_off, days, customers, came_back, forecast FROM lifetime.overdue_outcome
),
pooled AS (
    SELECT
        o.bought_once,
        o.band,
        MAX(o.days) AS days,
        COUNT(DISTINCT o.cut_off) AS cut_offs,
        CAST(SUM(o.customers) AS BIGINT) AS customers,
        CAST(SUM(o.came_back) AS BIGINT) AS came_back,
        SUM(o.forecast) AS forecast,
        CAST(SUM(o.customers) AS DOUBLE) / NULLIF(COUNT(DISTINCT o.cut_off), 0) AS n,
        CAST(SUM(o.came_back) AS DOUBLE) / NULLIF(SUM(o.customers), 0) AS p
    FROM parts AS o
    GROUP BY o.bought_once, o.band
)
SELECT
    bought_once,
    CASE bought_once WHEN 1 THEN 'Bought once' WHEN 0 THEN 'Bought again' ELSE 'All' END AS bought,
    band,
    CASE band WHEN 0 THEN 'All' WHEN 1 THEN '90–95%' WHEN 2 THEN '95–99%' ELSE 'over 99%' END AS lateness,
    days,
    cut_offs,
    customers,
    came_back,
    p AS share_buying,
    (p + 1.9208 / NULLIF(n, 0) - 1.96 * SQRT(p * (1 - p) / NULLIF(n, 0) + 0.9604 / NULLIF(n * n, 0)))
        / NULLIF(1 + 3.8416 / NULLIF(n, 0), 0) AS share_low,
    (p + 1.9208 / NULLIF(n, 0) + 1.96 * SQRT(p * (1 - p) / NULLIF(n, 0) + 0.9604 / NULLIF(n * n, 0)))
        / NULLIF(1 + 3.8416 / NULLIF(n, 0), 0) AS share_high,
    forecast / NULLIF(customers, 0) AS share_forecast
FROM pooled
