-- What of the predicted value is likely to be with customers who are overdue and stay away. Below a hundredth of it, that
-- is little, and is said to be.
SELECT
    SUM(CASE WHEN rhythm = 'overdue' THEN customers ELSE 0 END) AS customers,
    SUM(CASE WHEN rhythm = 'overdue' THEN lifetime_value ELSE 0 END) AS lifetime_value,
    SUM(value_at_risk) AS value_at_risk,
    CAST(SUM(CASE WHEN rhythm = 'overdue' THEN customers ELSE 0 END) AS DOUBLE) / NULLIF(SUM(customers), 0)
        AS share_of_customers,
    SUM(value_at_risk) / NULLIF(SUM(lifetime_value), 0) AS share_at_risk,
    CASE
        WHEN SUM(value_at_risk) >= 0.01 * SUM(lifetime_value)
            THEN CONCAT(CAST(ROUND(100 * SUM(value_at_risk) / NULLIF(SUM(lifetime_value), 0), 1) AS VARCHAR), '% of all predicted value')
        ELSE 'Little: less than 1% of all predicted value'
    END AS finding
FROM lifetime.value_at_risk
