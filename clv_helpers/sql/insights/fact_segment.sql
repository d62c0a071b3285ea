-- The RFM segments: how many customers each holds today and held a month ago, and what is predicted of those of today.
-- share_change: of the customers a month ago. spend: so far. lifetime_value: empty where nothing is
-- predicted. What is at risk is in insights.fact_overdue, by the few whom it is about.
-- One row: an RFM segment that holds a customer, or held one a month ago.
-- Key: rfm_segment
-- Check: (SELECT COALESCE(SUM(spend), 0) FROM insights.fact_segment)
--   = (SELECT COALESCE(SUM(spend), 0) FROM derived.customer_value)
WITH counted AS (
    SELECT
        s.rfm_segment,
        MIN(s.segment_order) AS segment_order,
        COUNT(CASE WHEN s.months_ago = 0 THEN s.customer_id END) AS customers,
        COUNT(CASE WHEN s.months_ago = 1 THEN s.customer_id END) AS customers_before,
        COALESCE(SUM(CASE WHEN s.months_ago = 0 THEN v.spend END), 0) AS spend,
        SUM(CASE WHEN s.months_ago = 0 THEN l.lifetime_value END) AS lifetime_value
    FROM derived.rfm_history AS s
    LEFT JOIN derived.customer_value AS v ON v.customer_id = s.customer_id
    LEFT JOIN lifetime.customer_lifetime_value AS l ON l.customer_id = s.customer_id
    GROUP BY s.rfm_segment
)
SELECT
    c.rfm_segment,
    c.segment_order,
    c.customers,
    c.customers_before,
    CAST(c.customers AS DOUBLE) / NULLIF(c.customers_before, 0) - 1 AS share_change,
    CAST(c.customers AS DOUBLE) / NULLIF(SUM(c.customers) OVER (), 0) AS share_of_customers,
    c.spend,
    c.lifetime_value
FROM counted AS c
