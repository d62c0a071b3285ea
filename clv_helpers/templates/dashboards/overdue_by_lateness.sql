-- Value at risk by how late customers are; none where nothing is predicted, and lifetime.value_at_risk says why.
SELECT
    lateness,
    band,
    bought,
    SUM(customers) AS customers,
    SUM(lifetime_value) AS lifetime_value,
    SUM(value_at_risk) AS value_at_risk
FROM insights.fact_overdue
WHERE band > 0 AND (SELECT COUNT(*) FROM lifetime.value_at_risk) > 0
GROUP BY lateness, band, bought
