-- What the customers who came by a channel in a month have cost, and when that is back. Nothing where acquisition is not
-- asked for.
-- cost: as `costs` says, of several batches the newest; NULL where they say nothing. customers: 0 where money was spent
-- and nobody came. customer_acquisition_cost: of each customer.
-- lifetime_value: margin per customer within the first months of life, as many as lifetime.horizon_months, so that
-- cohorts can be compared; as it came, and where they are younger as forecast, with its 80 % interval. NULL where they
-- are younger and nothing is forecast.
-- value_to_cost: lifetime_value over customer_acquisition_cost (LTV : CAC).
-- payback_month: the month of life (0 the first) by whose end margin is as much as the cost; payback_earliest,
-- payback_latest: its 80 % interval. NULL: not within what is known and forecast.
-- payback: paid back, expected, not within the horizon, not yet (and nothing is forecast), or not known (no cost, or
-- nobody came).
-- One row: a channel and a month in which customers came by it or money was spent on it.
-- Key: channel, cohort
-- Relation: cohort -> insights.dim_date.day
WITH cost AS (
    SELECT
        TRIM(channel) AS channel,
        CAST(SUBSTRING(TRIM(month), 1, 7) || '-01' AS DATE) AS cohort,
        cost,
        ROW_NUMBER() OVER (
            PARTITION BY TRIM(channel), SUBSTRING(TRIM(month), 1, 7) ORDER BY _batch_id DESC
        ) AS age
    FROM lake.costs
    WHERE $has_acquisition
),
newest AS (
    SELECT c.channel, c.cohort, CAST(c.cost AS DOUBLE) AS cost
    FROM cost AS c
    CROSS JOIN derived.as_of AS a
    WHERE c.age = 1 AND c.cohort < DATE_TRUNC('month', a.as_of) AND c.cohort > a.first_event_on
        AND (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM c.cohort)) * 12
        + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM c.cohort) <= $trend_months
),
sizes AS (
    SELECT channel, cohort, MAX(customers) AS customers
    FROM insights.fact_acquisition_month
    GROUP BY channel, cohort
),
cells AS (
    SELECT
        COALESCE(s.channel, n.channel) AS channel,
        COALESCE(s.cohort, n.cohort) AS cohort,
        COALESCE(s.customers, 0) AS customers,
        n.cost,
        n.cost / NULLIF(s.customers, 0) AS customer_acquisition_cost
    FROM sizes AS s
    FULL JOIN newest AS n ON n.channel = s.channel AND n.cohort = s.cohort
),
reached AS (
    SELECT
        c.channel,
        c.cohort,
        MAX(CASE WHEN m.month_of_life = $months_of_value - 1 THEN m.value_per_customer END) AS lifetime_value,
        MAX(CASE WHEN m.month_of_life = $months_of_value - 1 THEN m.low END) AS value_low,
        MAX(CASE WHEN m.month_of_life = $months_of_value - 1 THEN m.high END) AS value_high,
        MIN(CASE WHEN m.value_per_customer >= c.customer_acquisition_cost THEN m.month_of_life END) AS payback_month,
        MIN(CASE WHEN m.high >= c.customer_acquisition_cost THEN m.month_of_life END) AS payback_earliest,
        MIN(CASE WHEN m.low >= c.customer_acquisition_cost THEN m.month_of_life END) AS payback_latest,
        MAX(CASE WHEN m.kind = 'realised' THEN m.month_of_life END) AS known_until,
        COUNT(CASE WHEN m.kind = 'forecast' THEN 1 END) AS months_ahead
    FROM cells AS c
    JOIN insights.fact_acquisition_month AS m ON m.channel = c.channel AND m.cohort = c.cohort
    GROUP BY c.channel, c.cohort
)
SELECT
    c.channel,
    c.cohort,
    SUBSTRING(CAST(c.cohort AS VARCHAR), 1, 7) AS came_in,
    c.customers,
    c.cost,
    c.customer_acquisition_cost,
    r.lifetime_value,
    r.value_low,
    r.value_high,
    r.lifetime_value / NULLIF(c.customer_acquisition_cost, 0) AS value_to_cost,
    r.payback_month,
    r.payback_earliest,
    r.payback_latest,
    CASE
        WHEN c.customer_acquisition_cost IS NULL THEN 'not known'
        WHEN r.payback_month <= r.known_until THEN 'paid back'
        WHEN NOT r.payback_month IS NULL THEN 'expected'
        WHEN r.months_ahead > 0 THEN 'not within the horizon'
        ELSE 'not yet'
    END AS payback
FROM cells AS c
LEFT JOIN reached AS r ON r.channel = c.channel AND r.cohort = c.cohort
