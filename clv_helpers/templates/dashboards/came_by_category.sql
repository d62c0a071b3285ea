-- What became of customers, by the category of their first purchase; and which of them stand out from all: where the
-- interval, 95 % for all of them together, leaves out the share of all.
WITH known AS (
    SELECT * FROM insights.fact_customers_by_first WHERE kind = 'category' AND NOT share_again IS NULL
),
extreme AS (
    SELECT *, ROW_NUMBER() OVER (ORDER BY ABS(stands_out) DESC, ABS(share_again - share_again_of_all) DESC, part) AS place
    FROM known
)
SELECT
    k.label AS category,
    k.customers,
    k.share_again,
    k.low,
    k.high,
    k.spend_180_days,
    k.lifetime_value,
    k.stands_out,
    CASE
        WHEN e.stands_out = 0 THEN CONCAT('None stands out: ',
            CAST(CAST(ROUND(100 * e.share_again_of_all) AS INT) AS VARCHAR), '% of all come back within 90 days')
        ELSE CONCAT(e.label, ': ', CAST(CAST(ROUND(100 * e.share_again) AS INT) AS VARCHAR),
            '% come back within 90 days (', CAST(CAST(ROUND(100 * e.low) AS INT) AS VARCHAR), ' to ',
            CAST(CAST(ROUND(100 * e.high) AS INT) AS VARCHAR), '%); of all, ',
            CAST(CAST(ROUND(100 * e.share_again_of_all) AS INT) AS VARCHAR), '%')
    END AS finding
FROM known AS k
JOIN extreme AS e ON e.place = 1
