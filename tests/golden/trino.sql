-- derived.member_day
WITH counted AS (
  SELECT
    membership_number,
    CAST(occurred_at AS DATE) AS day,
    COALESCE("loyalty_status", 'ALL') AS category,
    CASE
      WHEN "transaction_type" IN ('STATUS_MILES')
      THEN CAST("mileage" AS DECIMAL(18, 4))
    END AS value,
    CASE
      WHEN "transaction_type" IN ('STATUS_MILES')
      THEN CAST("amount" AS DECIMAL(18, 4))
    END AS spend,
    CASE
      WHEN "transaction_type" IN ('STATUS_MILES')
      AND NOT COALESCE((
        "amount" < 0
      ), FALSE)
      THEN 1
      ELSE 0
    END AS purchases,
    occurred_at
  FROM lake.loyalty_events
  WHERE
    occurred_at < CAST('2025-01-01' AS DATE)
    AND (
      "transaction_type" IN ('STATUS_MILES') OR "transaction_type" IN ('STATUS_MILES')
    )
)
SELECT
  membership_number,
  day,
  category,
  CAST(COALESCE(SUM(value), 0) AS DECIMAL(18, 4)) AS value,
  CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 4)) AS spend,
  CAST(SUM(purchases) AS BIGINT) AS purchases,
  MAX(occurred_at) AS last_at
FROM counted
GROUP BY
  membership_number,
  day,
  category;

-- derived.member_value
WITH by_day AS (
  SELECT
    membership_number,
    SUM(value) AS value,
    SUM(spend) AS spend,
    SUM(purchases) AS purchases,
    CASE WHEN SUM(purchases) > 0 THEN day END AS purchased_on
  FROM derived.member_day
  GROUP BY
    membership_number,
    day
), by_member AS (
  SELECT
    membership_number,
    MIN(purchased_on) AS first_purchase_on,
    MAX(purchased_on) AS last_purchase_on,
    COUNT(purchased_on) - 1 AS frequency,
    SUM(CASE WHEN NOT purchased_on IS NULL THEN spend END) - MIN_BY(spend, purchased_on) AS repeat_spend,
    CAST(SUM(purchases) AS BIGINT) AS purchases,
    CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
    CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend
  FROM by_day
  GROUP BY
    membership_number
)
SELECT
  membership_number,
  first_purchase_on,
  last_purchase_on,
  frequency,
  DATE_DIFF('DAY', DATE_TRUNC('DAY', first_purchase_on), DATE_TRUNC('DAY', last_purchase_on)) AS recency_days,
  purchases,
  value,
  spend,
  CAST(repeat_spend AS DOUBLE) / NULLIF(frequency, 0) AS monetary_value
FROM by_member
WHERE
  NOT first_purchase_on IS NULL;

-- derived.member_decile
WITH in_window AS (
  SELECT
    d.membership_number,
    d.category,
    l.lookback_months,
    d.value,
    d.spend,
    d.purchases
  FROM derived.member_day AS d
  JOIN derived.lookback AS l
    ON d.day >= l.starts_on AND d.day < l.ends_before
), by_category AS (
  SELECT
    membership_number,
    category,
    lookback_months,
    CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
    CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend,
    CAST(SUM(purchases) AS BIGINT) AS purchases
  FROM in_window
  GROUP BY
    membership_number,
    category,
    lookback_months
), together AS (
  SELECT
    membership_number,
    'ALL' AS category,
    lookback_months,
    CAST(SUM(value) AS DECIMAL(18, 4)) AS value,
    CAST(SUM(spend) AS DECIMAL(18, 4)) AS spend,
    CAST(SUM(purchases) AS BIGINT) AS purchases
  FROM by_category
  GROUP BY
    membership_number,
    lookback_months
), summed AS (
  SELECT
    *
  FROM by_category
  WHERE
    category <> 'ALL'
  UNION ALL
  SELECT
    *
  FROM together
)
SELECT
  membership_number,
  category,
  lookback_months,
  value,
  spend,
  purchases,
  NTILE(10) OVER (
    PARTITION BY category, lookback_months
    ORDER BY value DESC, LOWER(TO_HEX(MD5(TO_UTF8(CAST(membership_number AS VARCHAR))))), membership_number
  ) AS decile
FROM summed;

-- insights.deciles_mileage
SELECT
  membership_number,
  MAP(
    ARRAY['decileMonth1', 'decileMonth3', 'decileMonth6', 'decileMonth9', 'decileMonth12', 'decileMonthAll'],
    ARRAY[MAP_AGG(category, decile) FILTER(WHERE
      lookback_months = 1), MAP_AGG(category, decile) FILTER(WHERE
      lookback_months = 3), MAP_AGG(category, decile) FILTER(WHERE
      lookback_months = 6), MAP_AGG(category, decile) FILTER(WHERE
      lookback_months = 9), MAP_AGG(category, decile) FILTER(WHERE
      lookback_months = 12), MAP_AGG(category, decile) FILTER(WHERE
      lookback_months = 0)]
  ) AS "decilesMileage"
FROM derived.member_decile
WHERE
  category <> 'ALL' OR NOT TRUE
GROUP BY
  membership_number;

-- profile.member
SELECT
  m.*,
  DATE_DIFF('DAY', DATE_TRUNC('DAY', m.first_purchase_on), DATE_TRUNC('DAY', a.as_of)) AS age_days,
  DATE_DIFF('DAY', DATE_TRUNC('DAY', m.last_purchase_on), DATE_TRUNC('DAY', a.as_of)) AS days_since_purchase,
  l.probability_alive,
  l.expected_purchases,
  l.probability_of_purchase,
  l.expected_spend,
  l.lifetime_value,
  l.historic_value,
  l.decile_predicted
FROM profile.attribute AS m
CROSS JOIN derived.as_of AS a
LEFT JOIN lifetime.member_lifetime_value AS l
  ON l.membership_number = m.membership_number;

-- insights.fact_value_by_month
WITH whole_months AS (
  SELECT
    f.*
  FROM insights.fact_member_month AS f
  CROSS JOIN derived.as_of AS a
  WHERE
    f.month < DATE_TRUNC('MONTH', a.as_of)
    AND (
      EXTRACT(YEAR FROM a.as_of) - EXTRACT(YEAR FROM f.month)
    ) * 12 + EXTRACT(MONTH FROM a.as_of) - EXTRACT(MONTH FROM f.month) <= 24
)
SELECT
  month,
  loyalty_status,
  COUNT(DISTINCT membership_number) AS active_members,
  SUM(value) AS value,
  SUM(spend) AS spend,
  SUM(purchases) AS purchases
FROM whole_months
WHERE
  loyalty_status <> 'ALL'
GROUP BY
  month,
  loyalty_status
UNION ALL
SELECT
  month,
  'ALL' AS loyalty_status,
  COUNT(DISTINCT membership_number) AS active_members,
  SUM(value) AS value,
  SUM(spend) AS spend,
  SUM(purchases) AS purchases
FROM whole_months
GROUP BY
  month;

-- lifetime.member_forecast
WITH spent AS (
  SELECT
    *,
    CASE WHEN repeat_spend > 0 THEN :spend_of_repeater ELSE :spend_of_others END AS expected_spend
  FROM lifetime.member_history
), valued AS (
  SELECT
    h.membership_number,
    s.probability_alive,
    s.expected_purchases,
    s.probability_of_purchase,
    h.expected_spend,
    s.discounted_purchases * h.expected_spend * :margin AS lifetime_value,
    h.spend * :margin AS historic_value
  FROM spent AS h
  JOIN lifetime.score AS s
    ON s.frequency = h.frequency
    AND s.recency_days = h.recency_days
    AND s.age_days = h.age_days
)
SELECT
  *,
  CASE
    WHEN lifetime_value > 0
    THEN CAST(FLOOR(LN(lifetime_value) * 500) AS BIGINT)
    ELSE -1000000
  END AS band
FROM valued;

-- audiences.membership
WITH latest AS (
  SELECT
    audience,
    MAX(evaluation) AS evaluation
  FROM audiences.evaluation
  GROUP BY
    audience
)
SELECT
  s.audience,
  s.membership_number,
  CASE WHEN s.evaluation = l.evaluation THEN 'realized' ELSE 'existing' END AS status,
  s.first_qualified_at,
  s.last_qualified_at,
  s.rule_hash,
  s.snapshot
FROM audiences.spell AS s
JOIN latest AS l
  ON l.audience = s.audience
WHERE
  s.left_at IS NULL;

-- activation.arm
WITH pool AS (
  SELECT
    e.campaign,
    e.membership_number,
    MIN(e.audience) AS audience,
    MIN(e.destination) AS destination,
    MIN(e.decile) AS decile,
    MAX(plan.control_share) AS share
  FROM activation.eligible AS e
  JOIN activation.plan AS plan
    ON plan.campaign = e.campaign AND plan.destination = e.destination
  WHERE
    e.outcome IS NULL AND plan.control_share > 0
  GROUP BY
    e.campaign,
    e.membership_number
), assigned AS (
  SELECT
    campaign,
    COUNT(*) AS members
  FROM activation.assignment
  GROUP BY
    campaign
), fresh AS (
  SELECT
    p.*,
    COALESCE(b.members, 0) + ROW_NUMBER() OVER (
      PARTITION BY p.campaign
      ORDER BY COALESCE(p.decile, 11), LOWER(
        TO_HEX(
          MD5(
            TO_UTF8(
              CAST(CONCAT(
                COALESCE(CAST(p.campaign AS VARCHAR), ''),
                COALESCE(CAST('|' AS VARCHAR), ''),
                COALESCE(CAST(p.membership_number AS VARCHAR), '')
              ) AS VARCHAR)
            )
          )
        )
      ), p.membership_number
    ) AS place
  FROM pool AS p
  LEFT JOIN activation.assignment AS a
    ON a.campaign = p.campaign AND a.membership_number = p.membership_number
  LEFT JOIN assigned AS b
    ON b.campaign = p.campaign
  WHERE
    a.membership_number IS NULL
)
SELECT
  campaign,
  membership_number,
  audience,
  destination,
  decile,
  CASE
    WHEN FLOOR(place * share) > FLOOR((
      place - 1
    ) * share)
    THEN 'control'
    ELSE 'treated'
  END AS arm,
  TRUE AS is_new
FROM fresh
UNION ALL
SELECT
  campaign,
  membership_number,
  audience,
  destination,
  decile,
  arm,
  FALSE
FROM activation.assignment;

-- campaigns.fact_campaign_result
SELECT
  campaign,
  audience,
  MIN(sent_on) AS sent_on,
  CAST(SUM(messages) AS BIGINT) AS messages,
  CAST(SUM(sent) AS BIGINT) AS sent,
  CAST(SUM(delivered) AS BIGINT) AS delivered,
  CAST(SUM(accepted) AS BIGINT) AS accepted,
  CAST(SUM(GREATEST(hard_bounced, blocked, soft_bounced)) AS BIGINT) AS bounced,
  CAST(SUM(opened) AS BIGINT) AS opened,
  CAST(SUM(opened_with_machines) AS BIGINT) AS opened_with_machines,
  CAST(SUM(clicked) AS BIGINT) AS clicked,
  CAST(SUM(clicked_with_machines) AS BIGINT) AS clicked_with_machines,
  CAST(SUM(unsubscribed) AS BIGINT) AS unsubscribed,
  CAST(SUM(complained) AS BIGINT) AS complained,
  CAST(SUM(opened) AS DOUBLE) / NULLIF(SUM(accepted), 0) AS open_rate,
  CAST(SUM(opened_with_machines) AS DOUBLE) / NULLIF(SUM(accepted), 0) AS open_rate_with_machines,
  CAST(SUM(clicked) AS DOUBLE) / NULLIF(SUM(accepted), 0) AS click_rate,
  CAST(SUM(clicked) AS DOUBLE) / NULLIF(SUM(opened), 0) AS click_to_open_rate
FROM campaigns.member_response
GROUP BY
  campaign,
  audience;
