-- What a year brought, as it stood at the end of each week: the 52 weeks up to it. Weeks are counted back from as_of, so
-- that the latest is whole, and kept where their 52 weeks lie within the data; at most 105, two years and this week.
-- customers: who bought in the 52 weeks; new_customers: who bought in them for the first time ever; spend: net.
-- One row: a week's end.
-- Key: weeks_back
-- Check: (SELECT COALESCE(SUM(new_customers), 0) FROM insights.fact_year_by_week)
--   <= (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_year_by_week)
WITH by_customer AS (
    SELECT
        d.customer_id,
        CAST(FLOOR((DATE_DIFF('day', d.day, a.as_of) - 1) / 7) AS INTEGER) AS weeks_back,
        SUM(d.spend) AS spend,
        SUM(d.purchases) AS purchases
    FROM derived.customer_day AS d
    CROSS JOIN derived.as_of AS a
    GROUP BY 1, 2
),
-- a purchase makes its customer one of the year's from its week on: for 52 weeks, or until the next takes over
bought AS (
    SELECT
        weeks_back,
        COALESCE(LEAD(weeks_back) OVER (PARTITION BY customer_id ORDER BY weeks_back DESC), -1) AS next_back,
        ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY weeks_back DESC) AS place
    FROM by_customer
    WHERE purchases > 0
),
change AS (
    SELECT weeks_back, SUM(spend) AS spend, 0 AS customers, 0 AS new_customers FROM by_customer GROUP BY weeks_back
    UNION ALL
    SELECT weeks_back, 0 AS spend, COUNT(*) AS customers, SUM(CASE WHEN place = 1 THEN 1 ELSE 0 END) AS new_customers
    FROM bought
    GROUP BY weeks_back
    UNION ALL
    SELECT GREATEST(weeks_back - 52, next_back) AS weeks_back, 0 AS spend, -COUNT(*) AS customers, 0 AS new_customers
    FROM bought
    GROUP BY 1
),
week AS (
    SELECT
        CAST(FLOOR((DATE_DIFF('day', d.day, a.as_of) - 1) / 7) AS INTEGER) AS weeks_back,
        MAX(d.day) AS week_end,
        MAX(DATE_DIFF('day', a.first_event_on, a.as_of)) AS days
    FROM insights.dim_date AS d
    CROSS JOIN derived.as_of AS a
    WHERE d.day < a.as_of
    GROUP BY 1
),
by_week AS (
    SELECT
        w.weeks_back,
        w.week_end,
        w.days,
        COALESCE(SUM(c.spend), 0) AS spend,
        COALESCE(SUM(c.customers), 0) AS customers,
        COALESCE(SUM(c.new_customers), 0) AS new_customers
    FROM week AS w
    LEFT JOIN change AS c ON c.weeks_back = w.weeks_back
    GROUP BY w.weeks_back, w.week_end, w.days
),
of_year AS (
    SELECT
        weeks_back,
        week_end,
        days,
        SUM(spend) OVER (ORDER BY weeks_back DESC ROWS BETWEEN 51 PRECEDING AND CURRENT ROW) AS spend,
        SUM(customers) OVER (ORDER BY weeks_back DESC) AS customers,
        SUM(new_customers) OVER (ORDER BY weeks_back DESC ROWS BETWEEN 51 PRECEDING AND CURRENT ROW) AS new_customers
    FROM by_week
)
SELECT
    weeks_back,
    week_end,
    spend,
    CAST(customers AS BIGINT) AS customers,
    CAST(new_customers AS BIGINT) AS new_customers
FROM of_year
WHERE (weeks_back + 52) * 7 <= days AND weeks_back <= 104
