-- The sums from which lift is computed, so that no customer's row comes to Python. y: what a customer spent in the window,
-- bought or not, sent or not (intention to treat); x: in the days before it, the covariate of CUPED; m: messages, p:
-- purchases in the window. decile: the lifetime decile when assigned (0: not ranked). Sums are exact decimals, of 19 digits
-- so that squares have 38: each run gives the same.
-- starts_on: the first day of the window, so a campaign that assigns customers again and again has a wave for each day on
-- which it did; is_open: as_of has not passed the window's last day, so the sums are not all there yet.
-- One row: a campaign, an audience, a decile, an arm and a wave.
-- Key: campaign, audience, decile, arm, starts_on
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM campaigns.outcome_group)
--   = (SELECT COUNT(*) FROM campaigns.customer_assignment)
WITH started AS (
    SELECT
        a.campaign, a.customer_id, a.audience, a.arm, a.decile,
        COALESCE(c.starts_on, a.assigned_on) AS starts_on, c.window_days, c.before_days
    FROM campaigns.customer_assignment AS a
    JOIN campaigns.campaign_window AS c ON c.campaign = a.campaign
),
dated AS (
    SELECT s.campaign, s.customer_id, d.spend, d.purchases, DATE_DIFF('day', s.starts_on, d.day) AS since
    FROM started AS s
    JOIN derived.customer_day AS d ON d.customer_id = s.customer_id
    WHERE DATE_DIFF('day', s.starts_on, d.day) BETWEEN -s.before_days AND s.window_days - 1
),
spent AS (
    SELECT
        campaign, customer_id,
        CAST(SUM(CASE WHEN since >= 0 THEN spend ELSE 0 END) AS DECIMAL(19, 4)) AS y,
        CAST(SUM(CASE WHEN since < 0 THEN spend ELSE 0 END) AS DECIMAL(19, 4)) AS x,
        SUM(CASE WHEN since >= 0 THEN purchases ELSE 0 END) AS p,
        MAX(CASE WHEN since >= 0 AND purchases > 0 THEN 1 ELSE 0 END) AS converted,
        MAX(CASE WHEN since < 0 AND purchases > 0 THEN 1 ELSE 0 END) AS bought_before
    FROM dated
    GROUP BY campaign, customer_id
),
written_to AS (
    SELECT campaign, customer_id, SUM(messages) AS messages
    FROM campaigns.customer_response
    GROUP BY campaign, customer_id
),
outcome AS (
    SELECT
        s.*,
        COALESCE(o.y, 0) AS y,
        COALESCE(o.x, 0) AS x,
        CAST(COALESCE(o.p, 0) AS BIGINT) AS p,
        COALESCE(o.converted, 0) AS converted,
        COALESCE(o.bought_before, 0) AS bought_before,
        CAST(COALESCE(w.messages, 0) AS BIGINT) AS m
    FROM started AS s
    LEFT JOIN spent AS o ON o.campaign = s.campaign AND o.customer_id = s.customer_id
    LEFT JOIN written_to AS w ON w.campaign = s.campaign AND w.customer_id = s.customer_id
)
SELECT
    campaign,
    audience,
    decile,
    arm,
    COUNT(*) AS customers,
    CAST(SUM(converted) AS BIGINT) AS converted,
    CAST(SUM(bought_before) AS BIGINT) AS bought_before,
    CAST(SUM(y) AS DOUBLE) AS sum_y,
    CAST(SUM(x) AS DOUBLE) AS sum_x,
    CAST(SUM(m) AS BIGINT) AS sum_m,
    CAST(SUM(p) AS BIGINT) AS sum_p,
    CAST(SUM(y * y) AS DOUBLE) AS sum_yy,
    CAST(SUM(x * x) AS DOUBLE) AS sum_xx,
    CAST(SUM(m * m) AS BIGINT) AS sum_mm,
    CAST(SUM(p * p) AS BIGINT) AS sum_pp,
    CAST(SUM(x * y) AS DOUBLE) AS sum_xy,
    CAST(SUM(y * m) AS DOUBLE) AS sum_ym,
    CAST(SUM(x * m) AS DOUBLE) AS sum_xm,
    CAST(SUM(y * p) AS DOUBLE) AS sum_yp,
    starts_on,
    MIN(window_days) AS window_days,
    DATE_DIFF('day', starts_on, $as_of) < MIN(window_days) AS is_open
FROM outcome
GROUP BY campaign, audience, decile, arm, starts_on
