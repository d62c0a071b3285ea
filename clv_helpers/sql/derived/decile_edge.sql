-- How large each decile is, and where it begins and ends.
-- ties_crossing: customers with exactly the value at the decile's lower edge, where the next decile begins with the
-- same value: the hash, not the value, decides. fewer_than_ten: in so small a category there are fewer
-- than ten deciles, and decile 1 is not the top 10 %. share_of_value: of the category's total in that look-back; where
-- deciles below zero take away more than a tenth of it, there is none.
-- One row: a decile in one category and look-back.
-- Key: category, lookback_months, decile
-- Refresh: by lookback_months
WITH edges AS (
    SELECT
        category,
        lookback_months,
        decile,
        COUNT(*) AS customers,
        SUM(value) AS value,
        SUM(spend) AS spend,
        SUM(purchases) AS purchases,
        MIN(value) AS lowest_value,
        MAX(value) AS highest_value
    FROM derived.customer_decile
    GROUP BY category, lookback_months, decile
),
whole AS (
    SELECT
        category,
        lookback_months,
        SUM(value) AS value,
        SUM(CASE WHEN value < 0 THEN -value ELSE 0 END) AS below_zero
    FROM edges
    GROUP BY category, lookback_months
),
crossed AS (
    SELECT e.category, e.lookback_months, e.decile, e.lowest_value
    FROM edges AS e
    JOIN edges AS n ON n.category = e.category AND n.lookback_months = e.lookback_months AND n.decile = e.decile + 1
    WHERE n.highest_value = e.lowest_value
),
tied AS (
    SELECT c.category, c.lookback_months, c.decile, COUNT(*) AS customers
    FROM crossed AS c
    JOIN derived.customer_decile AS d
        ON d.category = c.category AND d.lookback_months = c.lookback_months AND d.value = c.lowest_value
    GROUP BY c.category, c.lookback_months, c.decile
)
SELECT
    e.category,
    e.lookback_months,
    e.decile,
    e.customers,
    e.value,
    e.spend,
    e.purchases,
    e.lowest_value,
    e.highest_value,
    COALESCE(t.customers, 0) AS ties_crossing,
    SUM(e.customers) OVER (PARTITION BY e.category, e.lookback_months) < 10 AS fewer_than_ten,
    CASE WHEN w.below_zero <= 0.1 * w.value THEN CAST(e.value AS DOUBLE) / NULLIF(w.value, 0) END AS share_of_value
FROM edges AS e
JOIN whole AS w ON w.category = e.category AND w.lookback_months = e.lookback_months
LEFT JOIN tied AS t
    ON t.category = e.category AND t.lookback_months = e.lookback_months AND t.decile = e.decile
