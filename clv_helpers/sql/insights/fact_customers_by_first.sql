-- What became of customers, by the category, the product or the region of their first purchase.
-- share_again: who bought on a further day within 90 days: 1 - the survival function of Kaplan and Meier (1958), so that
-- the young count for the time that they had. It is told where eleven did and eleven were seen so long without, of fifty
-- or more: of fewer too little can be said, and it would tell of few people. low, high: its interval (Greenwood's
-- variance, on the log of minus the log), 95 % for all parts of a kind together: the normal quantile is bounded by
-- SQRT(2 LN(parts / 0.05)). stands_out: 1 where the interval lies above the share of all, -1 below. spend_180_days: on
-- the mean within 180 days of the first purchase, of those who came so long ago. lifetime_value: predicted, on the mean.
-- One row: the customers whose first purchase was of a category, a product or a region.
-- Key: kind, part
WITH first_day AS (
    SELECT d.customer_id, MIN(d.category) AS category
    FROM derived.customer_day AS d
    JOIN derived.customer_value AS v ON v.customer_id = d.customer_id AND v.first_purchase_on = d.day
    WHERE d.purchases > 0
    GROUP BY d.customer_id
),
parts AS (
    SELECT customer_id, 'category' AS kind, category AS part, category AS label FROM first_day WHERE $has_category
    UNION ALL
    SELECT customer_id, 'product' AS kind, first_product_id AS part, first_product AS label
    FROM derived.customer_product
    WHERE $has_products
    UNION ALL
    SELECT customer_id, 'region' AS kind, region AS part, region AS label
    FROM insights.dim_customer_band
    WHERE region <> '(not known)' AND frequency_order >= 0
    UNION ALL
    SELECT customer_id, 'all' AS kind, '(all)' AS part, '(all)' AS label FROM derived.customer_value
),
early AS (
    SELECT d.customer_id, SUM(d.spend) AS spend
    FROM derived.customer_day AS d
    JOIN derived.customer_value AS v ON v.customer_id = d.customer_id
    CROSS JOIN derived.as_of AS a
    WHERE DATE_DIFF('day', v.first_purchase_on, d.day) < 180 AND DATE_DIFF('day', v.first_purchase_on, a.as_of) >= 180
    GROUP BY d.customer_id
),
seen AS (
    SELECT
        m.kind,
        m.part,
        CASE WHEN p.next_purchased_on IS NULL THEN 0 ELSE 1 END AS came,
        DATE_DIFF('day', p.purchased_on, COALESCE(p.next_purchased_on, DATE_ADD(a.as_of, INTERVAL '-1' DAY))) AS days
    FROM parts AS m
    JOIN derived.purchase_number AS p ON p.customer_id = m.customer_id AND p.purchase_number = 1
    CROSS JOIN derived.as_of AS a
),
by_day AS (
    SELECT kind, part, days, SUM(came) AS came, COUNT(*) AS ended FROM seen GROUP BY kind, part, days
),
at_risk AS (
    SELECT
        kind,
        part,
        days,
        CAST(came AS DOUBLE) AS came,
        CAST(SUM(ended) OVER (PARTITION BY kind, part ORDER BY days DESC) AS DOUBLE) AS at_risk,
        SUM(CASE WHEN days > 90 THEN ended ELSE 0 END) OVER (PARTITION BY kind, part) AS seen_long,
        SUM(CASE WHEN days <= 90 THEN came ELSE 0 END) OVER (PARTITION BY kind, part) AS came_soon
    FROM by_day
),
hazards AS (
    SELECT
        kind,
        part,
        LEAST(MAX(seen_long), MAX(came_soon)) AS least,
        SUM(-LN(1 - came / NULLIF(at_risk, 0))) AS hazard,
        SUM(came / NULLIF(at_risk * (at_risk - came), 0)) AS variance
    FROM at_risk
    WHERE days <= 90 AND at_risk > came
    GROUP BY kind, part
),
counted AS (
    SELECT
        m.kind,
        m.part,
        MAX(m.label) AS label,
        COUNT(*) AS customers,
        SUM(v.spend) AS spend,
        -- an exact sum divided once: a mean of floats would depend on the order in which they come
        CAST(SUM(e.spend) AS DOUBLE) / NULLIF(COUNT(e.spend), 0) AS spend_180_days,
        AVG(l.lifetime_value) AS lifetime_value
    FROM parts AS m
    JOIN derived.customer_value AS v ON v.customer_id = m.customer_id
    LEFT JOIN early AS e ON e.customer_id = m.customer_id
    LEFT JOIN lifetime.customer_lifetime_value AS l ON l.customer_id = m.customer_id
    GROUP BY m.kind, m.part
),
told AS (
    SELECT
        c.*,
        CASE WHEN c.customers >= 50 AND h.least >= 11 THEN h.hazard END AS hazard,
        h.variance,
        SUM(CASE WHEN c.customers >= 50 AND h.least >= 11 THEN 1 ELSE 0 END) OVER (PARTITION BY c.kind) AS looks
    FROM counted AS c
    LEFT JOIN hazards AS h ON h.kind = c.kind AND h.part = c.part
),
bounded AS (
    SELECT
        *,
        1 - EXP(-hazard) AS share_again,
        CASE WHEN hazard > 0 THEN
            1 - EXP(-hazard * EXP(-SQRT(2 * LN(looks / 0.05)) * SQRT(variance) / NULLIF(hazard, 0)))
        END AS low,
        CASE WHEN hazard > 0 THEN
            1 - EXP(-hazard * EXP(SQRT(2 * LN(looks / 0.05)) * SQRT(variance) / NULLIF(hazard, 0)))
        END AS high
    FROM told
),
everyone AS (
    SELECT share_again FROM bounded WHERE kind = 'all'
)
SELECT
    b.kind,
    b.part,
    b.label,
    b.customers,
    b.spend,
    CAST(b.spend AS DOUBLE) / NULLIF(b.customers, 0) AS spend_per_customer,
    b.spend_180_days,
    b.lifetime_value,
    b.share_again,
    b.low,
    b.high,
    e.share_again AS share_again_of_all,
    CASE WHEN b.low > e.share_again THEN 1 WHEN b.high < e.share_again THEN -1 ELSE 0 END AS stands_out
FROM bounded AS b
CROSS JOIN everyone AS e
