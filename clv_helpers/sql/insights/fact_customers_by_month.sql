-- What a shop asks each week: customers, orders and revenue by month, of those who came first in it and of those who
-- had bought before, beside the same month of the year before. Whole months only, as many as trend_months.
-- order_value: revenue per purchase. kind All is everyone. revenue_before: that of the same month a year before; empty
-- where the data do not reach back so far.
-- One row: a month, and new customers, returning ones, or all.
-- Key: month, kind
-- Relation: month -> insights.dim_date.day
-- Check: (SELECT COALESCE(SUM(CASE WHEN kind = 'All' THEN revenue ELSE -revenue END), 0)
--   FROM insights.fact_customers_by_month) = 0
WITH by_month AS (
    SELECT
        f.month,
        CASE WHEN f.month = DATE_TRUNC('month', v.first_purchase_on) THEN 'New' ELSE 'Returning' END AS kind,
        f.customer_id,
        SUM(f.spend) AS revenue,
        SUM(f.purchases) AS purchases
    FROM insights.fact_customer_month AS f
    JOIN derived.customer_value AS v ON v.customer_id = f.customer_id
    CROSS JOIN derived.as_of AS a
    WHERE f.month < DATE_TRUNC('month', a.as_of)
    GROUP BY f.month, 2, f.customer_id
    HAVING SUM(f.purchases) > 0 OR SUM(f.spend) <> 0
),
of_kinds AS (
    SELECT
        month,
        kind,
        COUNT(CASE WHEN purchases > 0 THEN customer_id END) AS customers,
        CAST(SUM(purchases) AS BIGINT) AS purchases,
        SUM(revenue) AS revenue
    FROM by_month
    GROUP BY month, kind
    UNION ALL
    SELECT
        month,
        'All' AS kind,
        COUNT(CASE WHEN purchases > 0 THEN customer_id END) AS customers,
        CAST(SUM(purchases) AS BIGINT) AS purchases,
        SUM(revenue) AS revenue
    FROM by_month
    GROUP BY month
)
SELECT
    n.month,
    n.kind,
    CASE n.kind WHEN 'New' THEN 1 WHEN 'Returning' THEN 2 ELSE 3 END AS kind_order,
    n.customers,
    n.purchases,
    n.revenue,
    CAST(n.revenue AS DOUBLE) / NULLIF(n.purchases, 0) AS order_value,
    CAST(n.purchases AS DOUBLE) / NULLIF(n.customers, 0) AS purchases_per_customer,
    b.customers AS customers_before,
    b.revenue AS revenue_before,
    CAST(n.revenue AS DOUBLE) / NULLIF(b.revenue, 0) - 1 AS revenue_change
FROM of_kinds AS n
CROSS JOIN derived.as_of AS a
LEFT JOIN of_kinds AS b
    ON b.month = CAST(n.month - INTERVAL '12' MONTH AS DATE) AND b.kind = n.kind
    AND b.month > a.first_event_on
WHERE (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM n.month)) * 12
    + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM n.month) <= $trend_months
