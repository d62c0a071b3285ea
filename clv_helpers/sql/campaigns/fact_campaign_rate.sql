-- Each rate of dim_kpi as numerator / denominator, with its 95 % interval (Wilson 1927, the score interval, z = 1.96).
-- audience ALL: everyone once, whatever the audience; decile_group: ALL, or the lifetime decile at sending.
-- opened is empty where no open has a user agent: people cannot be told from machines.
-- One row: a campaign, an audience (or ALL) or decile (or ALL), and a rate.
-- Key: campaign, audience, decile_group, kpi
-- Check: (SELECT COUNT(*) FROM campaigns.fact_campaign_rate WHERE numerator > denominator) = 0
WITH person AS (
    SELECT
        campaign, customer_id, MIN(decile) AS decile,
        MAX(sent) AS sent, MAX(delivered) AS delivered, MAX(accepted) AS accepted,
        MAX(hard_bounced) AS hard_bounced, MAX(blocked) AS blocked, MAX(soft_bounced) AS soft_bounced,
        MAX(opened) AS opened, MAX(opened_with_machines) AS opened_with_machines,
        MAX(opened_told) AS opened_told,
        MAX(clicked) AS clicked, MAX(clicked_with_machines) AS clicked_with_machines,
        MAX(unsubscribed) AS unsubscribed, MAX(complained) AS complained
    FROM campaigns.customer_response
    GROUP BY campaign, customer_id
),
placed AS (
    SELECT campaign, $no_category AS audience, $no_category AS decile_group, 0 AS decile, p.* EXCLUDE (campaign, customer_id, decile)
    FROM person AS p
    UNION ALL
    SELECT
        campaign, $no_category, CASE WHEN decile = 0 THEN 'not ranked' ELSE CAST(decile AS VARCHAR) END, decile,
        p.* EXCLUDE (campaign, customer_id, decile)
    FROM person AS p
    UNION ALL
    SELECT
        campaign, audience, $no_category, 0,
        sent, delivered, accepted, hard_bounced, blocked, soft_bounced, opened, opened_with_machines, opened_told,
        clicked, clicked_with_machines, unsubscribed, complained
    FROM campaigns.customer_response
),
counted AS (
    SELECT
        campaign, audience, decile_group, MIN(decile) AS decile,
        SUM(sent) AS sent, SUM(delivered) AS delivered, SUM(accepted) AS accepted,
        SUM(hard_bounced) AS hard_bounced, SUM(blocked) AS blocked, SUM(soft_bounced) AS soft_bounced,
        CASE WHEN SUM(opened_told) > 0 OR SUM(opened_with_machines) = 0 THEN SUM(opened) END AS opened, SUM(opened_with_machines) AS opened_with_machines,
        SUM(clicked) AS clicked, SUM(clicked_with_machines) AS clicked_with_machines,
        SUM(unsubscribed) AS unsubscribed, SUM(complained) AS complained
    FROM placed
    GROUP BY campaign, audience, decile_group
),
divided AS (
    SELECT
        c.campaign, c.audience, c.decile_group, c.decile, k.kpi, k.kpi_order,
        CAST(CASE k.numerator_is
            WHEN 'delivered' THEN c.delivered
            WHEN 'accepted' THEN c.accepted
            WHEN 'hard_bounced' THEN c.hard_bounced
            WHEN 'blocked' THEN c.blocked
            WHEN 'soft_bounced' THEN c.soft_bounced
            WHEN 'opened' THEN c.opened
            WHEN 'opened_with_machines' THEN c.opened_with_machines
            WHEN 'clicked' THEN c.clicked
            WHEN 'clicked_with_machines' THEN c.clicked_with_machines
            WHEN 'unsubscribed' THEN c.unsubscribed
            WHEN 'complained' THEN c.complained
        END AS BIGINT) AS numerator,
        CAST(CASE k.denominator_is WHEN 'sent' THEN c.sent WHEN 'accepted' THEN c.accepted WHEN 'opened' THEN c.opened END AS BIGINT) AS denominator
    FROM counted AS c
    CROSS JOIN campaigns.dim_kpi AS k
),
rated AS (
    SELECT
        *,
        CAST(numerator AS DOUBLE) / NULLIF(denominator, 0) AS rate,
        CAST(3.8414588 AS DOUBLE) / NULLIF(denominator, 0) AS z_squared_per_n
    FROM divided
)
SELECT
    campaign,
    audience,
    decile_group,
    decile,
    kpi,
    kpi_order,
    numerator,
    CASE WHEN NOT numerator IS NULL THEN denominator END AS denominator,
    rate,
    GREATEST(
        (rate + z_squared_per_n / 2 - SQRT(z_squared_per_n * (rate * (1 - rate) + z_squared_per_n / 4))) / NULLIF(1 + z_squared_per_n, 0), 0
    ) AS low,
    LEAST(
        (rate + z_squared_per_n / 2 + SQRT(z_squared_per_n * (rate * (1 - rate) + z_squared_per_n / 4))) / NULLIF(1 + z_squared_per_n, 0), 1
    ) AS high
FROM rated
