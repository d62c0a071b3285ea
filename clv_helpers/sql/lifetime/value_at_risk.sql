-- What of each decile's predicted value is with customers who are overdue against their own rhythm, and what of that is at
-- risk: value_at_risk, times the chance that they stay away (see lifetime.customer_lifetime_value). rhythm: overdue from
-- 0.9 on.
-- share_of_value: of the predicted value of all.
-- One row: a decile of predicted value, and whether its customers are overdue.
-- Key: decile, rhythm
SELECT
    decile_predicted AS decile,
    CASE WHEN overdue >= $overdue THEN 'overdue' ELSE 'in rhythm' END AS rhythm,
    COUNT(*) AS customers,
    SUM(lifetime_value) AS lifetime_value,
    SUM(lifetime_value) / NULLIF(SUM(SUM(lifetime_value)) OVER (), 0) AS share_of_value,
    SUM(value_at_risk) AS value_at_risk,
    SUM(value_at_risk) / NULLIF(SUM(SUM(lifetime_value)) OVER (), 0) AS share_at_risk,
    SUM(historic_value) / COUNT(*) AS historic_value_per_customer
FROM lifetime.customer_lifetime_value
GROUP BY 1, 2
