-- Who is overdue, by the category of their latest purchase.
SELECT
    category,
    SUM(CASE WHEN band > 0 THEN customers ELSE 0 END) AS customers,
    SUM(value_at_risk) AS value_at_risk,
    SUM(value_at_risk) / NULLIF(SUM(lifetime_value), 0) AS share_at_risk
FROM insights.fact_overdue
WHERE (SELECT COUNT(*) FROM lifetime.value_at_risk) > 0
GROUP BY category
HAVING SUM(CASE WHEN band > 0 THEN customers ELSE 0 END) > 0
