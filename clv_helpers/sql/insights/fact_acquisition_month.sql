-- What the customers of a channel have left at margin by the end of each month of their life, as it came and as forecast,
-- not discounted: what their cost is paid back from. Cohorts of the last trend_months, and as fact_retention without the
-- month in which the data begin; the months ahead that end within the horizon. Nothing where acquisition is not asked for.
-- kind: realised (whole months), forecast (the month of as_of and those after it).
-- month_of_life: 0 the month in which they came. came_in: the cohort as a text.
-- margin: of all, so far and ahead; margin_ahead: what of it is forecast. common_variance: of the logarithm of what is
-- forecast, from errors that all cohorts of a channel share; own_variance: of margin_ahead, by chance.
-- value_per_customer, low, high: the 80 % interval is that of a logarithm, as of other totals of the forecast.
-- One row: a channel, a cohort and a month of its life.
-- Key: channel, cohort, month_of_life
-- Relation: cohort -> insights.dim_date.day
-- Check: (SELECT COUNT(*) FROM insights.fact_acquisition_month WHERE low > high) = 0
WITH came AS (
    SELECT f.customer_id, f.channel, f.cohort, f.age_days
    FROM profile.first_channel AS f
    CROSS JOIN derived.as_of AS a
    WHERE f.cohort < DATE_TRUNC('month', a.as_of) AND f.cohort > a.first_event_on
        AND (EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM f.cohort)) * 12
        + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM f.cohort) <= $trend_months
),
sizes AS (
    SELECT channel, cohort, COUNT(*) AS customers FROM came GROUP BY channel, cohort
),
spent AS (
    SELECT c.channel, c.cohort, GREATEST(m.month, c.cohort) AS month, CAST(SUM(m.spend) AS DOUBLE) * $gross_margin AS margin
    FROM came AS c
    JOIN insights.fact_customer_month AS m ON m.customer_id = c.customer_id
    GROUP BY 1, 2, 3
),
whole_months AS (
    SELECT DISTINCT d.month FROM insights.dim_date AS d CROSS JOIN derived.as_of AS a
    WHERE d.month < DATE_TRUNC('month', a.as_of) AND d.day >= a.first_event_on
),
realised AS (
    SELECT
        s.channel,
        s.cohort,
        w.month,
        s.customers,
        SUM(COALESCE(p.margin, 0)) AS margin
    FROM sizes AS s
    JOIN whole_months AS w ON w.month >= s.cohort
    LEFT JOIN spent AS p ON p.channel = s.channel AND p.cohort = s.cohort AND p.month <= w.month
    GROUP BY s.channel, s.cohort, w.month, s.customers
),
so_far AS (
    SELECT channel, cohort, SUM(margin) AS margin FROM spent GROUP BY channel, cohort
),
expected AS (
    SELECT
        c.channel,
        c.cohort,
        c.age_days,
        SUM(l.expected_purchases * l.expected_spend) * $gross_margin AS ahead,
        SUM(l.lifetime_value) AS discounted,
        SUM(l.lifetime_value_spread * l.lifetime_value_spread) AS variance
    FROM came AS c
    JOIN lifetime.customer_lifetime_value AS l ON l.customer_id = c.customer_id
    GROUP BY c.channel, c.cohort, c.age_days
),
spread AS (
    SELECT
        e.channel,
        e.cohort,
        m.month,
        MAX(m.level) AS level,
        SUM(e.ahead * m.share) AS ahead,
        SUM(e.ahead) AS whole,
        SUM(e.variance) / NULLIF(SUM(e.discounted) * SUM(e.discounted), 0) AS variance
    FROM expected AS e
    JOIN lifetime.month_share AS m ON m.age_days = e.age_days
    CROSS JOIN derived.as_of AS a
    WHERE m.month >= DATE_TRUNC('month', a.as_of)  -- of a forecast made before, what has passed is realised
    GROUP BY e.channel, e.cohort, m.month
),
forecast AS (
    SELECT
        s.channel,
        s.cohort,
        s.month,
        p.margin AS margin_so_far,
        s.ahead * h.factor AS margin_ahead,
        s.level * s.level + h.variance AS common_variance,
        -- of the whole horizon, and in proportion to what is expected of it by then
        COALESCE(s.variance * s.whole * s.ahead, 0) * h.factor * h.factor AS own_variance
    FROM spread AS s
    JOIN so_far AS p ON p.channel = s.channel AND p.cohort = s.cohort
    JOIN insights.fact_acquisition_holdout AS h ON h.channel = s.channel
),
bounded AS (
    SELECT
        *,
        1.281552 * SQRT(LN(1 + common_variance + COALESCE(own_variance / NULLIF(margin_ahead * margin_ahead, 0), 0))) AS width
    FROM forecast
),
curve AS (
    SELECT channel, cohort, month, customers, 'realised' AS kind, margin, 0 AS margin_ahead, 0 AS common_variance,
        0 AS own_variance, margin AS low, margin AS high
    FROM realised
    UNION ALL
    SELECT b.channel, b.cohort, b.month, s.customers, 'forecast', b.margin_so_far + b.margin_ahead, b.margin_ahead,
        b.common_variance, b.own_variance, b.margin_so_far + b.margin_ahead * EXP(-b.width),
        b.margin_so_far + b.margin_ahead * EXP(b.width)
    FROM bounded AS b
    JOIN sizes AS s ON s.channel = b.channel AND s.cohort = b.cohort
)
SELECT
    channel,
    cohort,
    SUBSTRING(CAST(cohort AS VARCHAR), 1, 7) AS came_in,
    CAST((EXTRACT(YEAR FROM month) - EXTRACT(YEAR FROM cohort)) * 12
        + EXTRACT(MONTH FROM month) - EXTRACT(MONTH FROM cohort) AS INT) AS month_of_life,
    kind,
    customers,
    margin,
    margin_ahead,
    common_variance,
    own_variance,
    margin / customers AS value_per_customer,
    low / customers AS low,
    high / customers AS high
FROM curve
