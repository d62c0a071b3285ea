-- How many customers each RFM segment holds, and what they brought so far.
-- share_of_value, share_of_spend: of the whole; where customers below zero take away more than a tenth of it, there is
-- none.
-- One row: an RFM segment that holds at least one customer.
-- Key: rfm_segment
WITH by_segment AS (
    SELECT
        s.rfm_segment,
        COUNT(*) AS customers,
        SUM(v.value) AS value,
        SUM(v.spend) AS spend,
        SUM(CASE WHEN v.value < 0 THEN -v.value ELSE 0 END) AS value_below_zero,
        SUM(CASE WHEN v.spend < 0 THEN -v.spend ELSE 0 END) AS spend_below_zero
    FROM derived.rfm_segment AS s
    JOIN derived.customer_value AS v ON v.customer_id = s.customer_id
    GROUP BY s.rfm_segment
),
whole AS (
    SELECT
        SUM(customers) AS customers,
        CASE WHEN SUM(value_below_zero) <= 0.1 * SUM(value) THEN SUM(value) END AS value,
        CASE WHEN SUM(spend_below_zero) <= 0.1 * SUM(spend) THEN SUM(spend) END AS spend
    FROM by_segment
)
SELECT
    b.rfm_segment,
    b.customers,
    b.value,
    b.spend,
    CAST(b.customers AS DOUBLE) / w.customers AS share_of_customers,
    CAST(b.value AS DOUBLE) / NULLIF(w.value, 0) AS share_of_value,
    CAST(b.spend AS DOUBLE) / NULLIF(w.spend, 0) AS share_of_spend
FROM by_segment AS b
CROSS JOIN whole AS w
