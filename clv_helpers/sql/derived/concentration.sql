-- The concentration curves: which share the best 1, 2 … 100 hundredths of the customers bring; once by value and once by
-- spend, each sorted for itself. Of a customer through whom the edge of a hundredth runs, that part counts which lies
-- before it, so 10 % is 10 % of any number of customers. Which of several equal customers comes first changes no sum.
-- Where customers below zero take away more than a tenth of the whole, a part can be more than the whole: then there is
-- no share.
-- customers: as many as these hundredths are.
-- One row: a number of hundredths of the customers.
-- Key: percent_of_customers
WITH digit AS (SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t(n)),
whole AS (
    SELECT
        COUNT(*) AS customers,
        CASE WHEN SUM(CASE WHEN value < 0 THEN -value ELSE 0 END) <= 0.1 * SUM(value) THEN SUM(value) END AS value,
        CASE WHEN SUM(CASE WHEN spend < 0 THEN -spend ELSE 0 END) <= 0.1 * SUM(spend) THEN SUM(spend) END AS spend
    FROM derived.customer_value
),
edge AS (
    SELECT
        1 + a.n + 10 * b.n AS percent_of_customers,
        CAST(CEIL((1 + a.n + 10 * b.n) * w.customers / 100.0) AS BIGINT) AS place,
        w.customers,
        w.value,
        w.spend
    FROM digit AS a CROSS JOIN digit AS b CROSS JOIN whole AS w
),
ranked AS (
    SELECT
        value,
        spend,
        ROW_NUMBER() OVER (ORDER BY value DESC) AS place_by_value,
        ROW_NUMBER() OVER (ORDER BY spend DESC) AS place_by_spend,
        SUM(value) OVER (ORDER BY value DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS value_so_far,
        SUM(spend) OVER (ORDER BY spend DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spend_so_far
    FROM derived.customer_value
),
cut AS (
    -- beyond: the part of the customer at the edge that lies beyond it
    SELECT *, place - percent_of_customers * customers / 100.0 AS beyond FROM edge
)
SELECT
    c.percent_of_customers,
    c.place AS customers,
    CAST(v.value_so_far - v.value * c.beyond AS DOUBLE) / NULLIF(c.value, 0) AS share_of_value,
    CAST(s.spend_so_far - s.spend * c.beyond AS DOUBLE) / NULLIF(c.spend, 0) AS share_of_spend
FROM cut AS c
JOIN ranked AS v ON v.place_by_value = c.place
JOIN ranked AS s ON s.place_by_spend = c.place
