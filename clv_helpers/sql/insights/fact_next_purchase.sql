-- Who has bought again how soon, after the first, second … purchase day: 1 - the survival function of Kaplan and Meier
-- (1958) over days, so that those who came lately, and have had no time yet, count for the time that they had.
-- low, high: its 95 % interval (Greenwood's variance, on the log of minus the log). customers: who bought that often;
-- at_risk: of them, those seen until the month began who had not bought again. A month has 30 days here; it is left out
-- where fewer than fifty are left, of whom too little can be said. Where all who were left came, 50 stands for infinity.
-- One row: a purchase and a number of months since.
-- Key: purchase_number, months_since
-- Check: (SELECT COUNT(*) FROM insights.fact_next_purchase WHERE share_again < 0 OR share_again > 1) = 0
WITH seen AS (
    SELECT
        p.purchase_number,
        CASE WHEN p.next_purchased_on IS NULL THEN 0 ELSE 1 END AS came,
        DATE_DIFF('day', p.purchased_on, COALESCE(p.next_purchased_on, DATE_ADD(a.as_of, INTERVAL '-1' DAY))) AS days
    FROM derived.purchase_number AS p
    CROSS JOIN derived.as_of AS a
),
by_day AS (
    SELECT purchase_number, days, SUM(came) AS came, COUNT(*) AS ended
    FROM seen
    GROUP BY purchase_number, days
),
at_risk AS (
    SELECT
        purchase_number,
        days,
        CAST(came AS DOUBLE) AS came,
        CAST(SUM(ended) OVER (PARTITION BY purchase_number ORDER BY days DESC) AS DOUBLE) AS at_risk,
        SUM(ended) OVER (PARTITION BY purchase_number) AS customers
    FROM by_day
),
steps AS (
    SELECT
        purchase_number,
        customers,
        CAST(CEIL(CAST(days AS DOUBLE) / 30) AS INT) AS months_since,
        MAX(at_risk) AS at_risk,
        MIN(at_risk) AS least_at_risk,
        SUM(CASE WHEN at_risk > came THEN -LN(1 - came / NULLIF(at_risk, 0)) ELSE 50 END) AS hazard,
        SUM(CASE WHEN at_risk > came THEN came / NULLIF(at_risk * (at_risk - came), 0) ELSE 0 END) AS variance
    FROM at_risk
    GROUP BY purchase_number, customers, CEIL(CAST(days AS DOUBLE) / 30)
),
summed AS (
    SELECT
        purchase_number,
        customers,
        months_since,
        CAST(at_risk AS BIGINT) AS at_risk,
        least_at_risk,
        SUM(hazard) OVER (PARTITION BY purchase_number ORDER BY months_since) AS hazard,
        SUM(variance) OVER (PARTITION BY purchase_number ORDER BY months_since) AS variance
    FROM steps
)
SELECT
    purchase_number,
    CASE purchase_number WHEN 1 THEN 'first' WHEN 2 THEN 'second' WHEN 3 THEN 'third' ELSE 'fourth' END AS after_purchase,
    CASE purchase_number WHEN 1 THEN 'a second' WHEN 2 THEN 'a third' WHEN 3 THEN 'a fourth' ELSE 'a fifth' END
        AS next_purchase,
    months_since,
    customers,
    at_risk,
    1 - EXP(-hazard) AS share_again,
    CASE WHEN hazard > 0 THEN 1 - EXP(-hazard * EXP(-1.96 * SQRT(variance) / NULLIF(hazard, 0))) ELSE 0 END AS low,
    CASE WHEN hazard > 0 THEN 1 - EXP(-hazard * EXP(1.96 * SQRT(variance) / NULLIF(hazard, 0))) ELSE 0 END AS high
FROM summed
WHERE least_at_risk >= 50 AND months_since > 0
