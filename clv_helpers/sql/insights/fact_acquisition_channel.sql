-- What a channel costs and brings back, over the cohorts of insights.fact_acquisition. Nothing where acquisition is not
-- asked for.
-- customers, cost: all of them. Of cohorts whose cost is known: customer_acquisition_cost, margin_so_far (to the end of
-- the last whole month), share_back (of the cost, margin so far).
-- lifetime_value, value_low, value_high: per customer, within the first months of life (see insights.fact_acquisition),
-- as many as the text `months` says.
-- value_to_cost, to_cost_low, to_cost_high: LTV : CAC with its 80 % interval, over cohorts with both.
-- payback_month, payback_earliest, payback_latest: by whose end the margin of all cohorts so old is as much as their cost.
-- finding: in words, how its LTV : CAC stands to that of the other channels with min_cell customers, where intervals of
-- 95 % that hold the chance of who came, too, are apart.
-- verdict: what may be said: has paid back; pays back, or does not, within so many months (the interval says so);
-- cannot be told; cost not known; nobody came by it (is it written as in the customers' data?).
-- One row: a channel.
-- Key: channel
-- Check: (SELECT COUNT(*) FROM insights.fact_acquisition_channel WHERE to_cost_low > to_cost_high) = 0
WITH cell AS (
    SELECT channel, cohort, customers, cost, NOT cost IS NULL AND (customers = 0 OR NOT lifetime_value IS NULL) AS is_valued
    FROM insights.fact_acquisition
),
latest AS (
    SELECT channel, cohort, MAX(month_of_life) AS month_of_life
    FROM insights.fact_acquisition_month
    WHERE kind = 'realised'
    GROUP BY channel, cohort
),
known AS (
    SELECT l.channel, l.cohort, m.margin
    FROM latest AS l
    JOIN insights.fact_acquisition_month AS m
        ON m.channel = l.channel AND m.cohort = l.cohort AND m.month_of_life = l.month_of_life
),
summed AS (
    SELECT
        c.channel,
        SUM(c.customers) AS customers,
        SUM(c.cost) AS cost,
        SUM(c.cost) / NULLIF(SUM(CASE WHEN NOT c.cost IS NULL THEN c.customers END), 0) AS customer_acquisition_cost,
        SUM(CASE WHEN NOT c.cost IS NULL THEN k.margin END) AS margin_so_far,
        SUM(CASE WHEN c.is_valued THEN c.cost END) AS valued_cost,
        SUM(CASE WHEN NOT v.margin IS NULL THEN c.customers END) AS valued_customers,
        SUM(v.margin) AS margin,
        SUM(v.margin_ahead) AS margin_ahead,
        MAX(v.common_variance) AS common_variance,
        SUM(v.own_variance) AS own_variance,
        SUM(CASE WHEN c.is_valued THEN v.margin END) AS costed_margin,
        SUM(CASE WHEN c.is_valued THEN v.margin_ahead END) AS costed_ahead
    FROM cell AS c
    LEFT JOIN known AS k ON k.channel = c.channel AND k.cohort = c.cohort
    LEFT JOIN insights.fact_acquisition_month AS v
        ON v.channel = c.channel AND v.cohort = c.cohort AND v.month_of_life = $months_of_value - 1
    GROUP BY c.channel
),
bounded AS (
    SELECT
        *,
        1.281552 * SQRT(LN(1 + COALESCE(common_variance, 0)
            + COALESCE(own_variance / NULLIF(margin_ahead * margin_ahead, 0), 0))) AS width
    FROM summed
),
valued AS (
    SELECT
        *,
        (margin + margin_ahead * (EXP(-width) - 1)) / NULLIF(valued_customers, 0) AS value_low,
        (margin + margin_ahead * (EXP(width) - 1)) / NULLIF(valued_customers, 0) AS value_high,
        costed_margin / NULLIF(valued_cost, 0) AS value_to_cost,
        (costed_margin + costed_ahead * (EXP(-width) - 1)) / NULLIF(valued_cost, 0) AS to_cost_low,
        (costed_margin + costed_ahead * (EXP(width) - 1)) / NULLIF(valued_cost, 0) AS to_cost_high
    FROM bounded
),
by_age AS (
    SELECT
        m.channel,
        m.month_of_life,
        SUM(m.margin) AS margin,
        SUM(m.low * m.customers) AS low,
        SUM(m.high * m.customers) AS high,
        SUM(c.cost) AS cost
    FROM insights.fact_acquisition_month AS m
    JOIN cell AS c ON c.channel = m.channel AND c.cohort = m.cohort AND NOT c.cost IS NULL
    GROUP BY m.channel, m.month_of_life
),
sampled AS (
    SELECT
        f.channel,
        VAR_SAMP(CAST(v.spend AS DOUBLE)) / COUNT(*)
            / NULLIF(AVG(CAST(v.spend AS DOUBLE)) * AVG(CAST(v.spend AS DOUBLE)), 0) AS variance
    FROM profile.first_channel AS f
    JOIN derived.customer_value AS v ON v.customer_id = f.customer_id
    JOIN cell AS c ON c.channel = f.channel AND c.cohort = f.cohort
    GROUP BY f.channel
),
compared AS (
    SELECT
        v.channel,
        v.value_to_cost,
        1.96 * SQRT(s.variance + v.width * v.width / 1.642376
            * COALESCE(v.costed_ahead * v.costed_ahead / NULLIF(v.costed_margin * v.costed_margin, 0), 0)) AS width
    FROM valued AS v
    JOIN sampled AS s ON s.channel = v.channel
    WHERE v.customers >= $min_cell AND v.value_to_cost > 0
),
standing AS (
    SELECT
        c.channel,
        COUNT(o.channel) AS others,
        COUNT(CASE WHEN c.value_to_cost * EXP(-c.width) > o.value_to_cost * EXP(o.width) THEN 1 END) AS below
    FROM compared AS c
    LEFT JOIN compared AS o ON o.channel <> c.channel
    GROUP BY c.channel
),
reached AS (
    SELECT
        channel,
        MIN(CASE WHEN margin >= cost THEN month_of_life END) AS payback_month,
        MIN(CASE WHEN high >= cost THEN month_of_life END) AS payback_earliest,
        MIN(CASE WHEN low >= cost THEN month_of_life END) AS payback_latest
    FROM by_age
    GROUP BY channel
)
SELECT
    v.channel,
    CAST($months_of_value AS VARCHAR) AS months,
    v.customers,
    v.cost,
    v.customer_acquisition_cost,
    v.margin_so_far,
    v.margin_so_far / NULLIF(v.cost, 0) AS share_back,
    v.margin / NULLIF(v.valued_customers, 0) AS lifetime_value,
    v.value_low,
    v.value_high,
    v.value_to_cost,
    v.to_cost_low,
    v.to_cost_high,
    r.payback_month,
    r.payback_earliest,
    r.payback_latest,
    CASE
        WHEN v.customers = 0 THEN 'nobody came by it'
        WHEN v.cost IS NULL THEN 'cost not known'
        WHEN v.margin_so_far >= v.cost THEN 'has paid back'
        WHEN v.to_cost_low >= 1 THEN CONCAT('pays back within ', CAST($months_of_value AS VARCHAR), ' months')
        WHEN v.to_cost_high < 1 THEN CONCAT('does not pay back within ', CAST($months_of_value AS VARCHAR), ' months')
        ELSE 'cannot be told'
    END AS verdict,
    CASE
        WHEN s.others > 0 AND s.below = s.others
            THEN CONCAT('Of all channels, ', v.channel, ' brings back most for what it costs')
        WHEN s.others > 0 THEN 'Which channel brings back most for what it costs cannot be told'
        WHEN s.others = 0 THEN CONCAT('What ', v.channel, ' costs and brings back')
    END AS finding
FROM valued AS v
LEFT JOIN standing AS s ON s.channel = v.channel
LEFT JOIN reached AS r ON r.channel = v.channel
