-- The outcome of a randomised mailing that came as one finished table (the dataset experiments): the same sums as
-- campaigns.outcome_group; how often a customer bought is not known, and all but the control got one message. Each arm but
-- the control is a campaign of its own, against the same control. decile: by spend_before among everyone, equal amounts in
-- the same decile (1: the most).
-- One row: a campaign (its arm), an audience, a decile and an arm.
-- Key: campaign, audience, decile, arm
WITH ranked AS (
    SELECT
        arm AS assigned,
        CAST(COALESCE(spend_before, 0) AS DECIMAL(19, 4)) AS x,
        CAST(spend AS DECIMAL(19, 4)) AS y,
        CASE WHEN COALESCE(converted, spend > 0) THEN 1 ELSE 0 END AS converted,
        CASE WHEN spend_before > 0 THEN 1 ELSE 0 END AS bought_before,
        CASE WHEN arm = $control_arm THEN 0 ELSE 1 END AS m,
        RANK() OVER (ORDER BY COALESCE(spend_before, 0) DESC) AS place,
        COUNT(*) OVER () AS everyone
    FROM lake.experiments
),
placed AS (
    SELECT *, CAST(FLOOR((place - 1) * 10.0 / NULLIF(everyone, 0)) AS BIGINT) + 1 AS decile FROM ranked
),
treatment AS (
    SELECT DISTINCT assigned AS campaign FROM placed WHERE assigned <> $control_arm
)
SELECT
    t.campaign,
    $no_category AS audience,
    p.decile,
    CASE WHEN p.assigned = $control_arm THEN 'control' ELSE 'treated' END AS arm,
    COUNT(*) AS customers,
    CAST(SUM(p.converted) AS BIGINT) AS converted,
    CAST(SUM(p.bought_before) AS BIGINT) AS bought_before,
    CAST(SUM(p.y) AS DOUBLE) AS sum_y,
    CAST(SUM(p.x) AS DOUBLE) AS sum_x,
    CAST(SUM(p.m) AS BIGINT) AS sum_m,
    CAST(NULL AS BIGINT) AS sum_p,
    CAST(SUM(p.y * p.y) AS DOUBLE) AS sum_yy,
    CAST(SUM(p.x * p.x) AS DOUBLE) AS sum_xx,
    CAST(SUM(p.m) AS BIGINT) AS sum_mm,
    CAST(NULL AS BIGINT) AS sum_pp,
    CAST(SUM(p.x * p.y) AS DOUBLE) AS sum_xy,
    CAST(SUM(p.y * p.m) AS DOUBLE) AS sum_ym,
    CAST(SUM(p.x * p.m) AS DOUBLE) AS sum_xm,
    CAST(NULL AS DOUBLE) AS sum_yp
FROM placed AS p
JOIN treatment AS t ON p.assigned = t.campaign OR p.assigned = $control_arm
GROUP BY t.campaign, p.decile, CASE WHEN p.assigned = $control_arm THEN 'control' ELSE 'treated' END
