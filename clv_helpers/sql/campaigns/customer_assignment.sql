-- Who was assigned to a campaign: those whom stage 5 assigned, and those whom the dataset assignments names. Of several
-- assignments the first holds (at one moment: treated, where customers were joined since), and never changes: results are
-- analysed by intention to treat.
-- One row: a campaign and a customer assigned to one of its arms.
-- Key: campaign, customer_id
WITH assigned AS (
    SELECT
        a.campaign, COALESCE(j.customer_id, a.customer_id) AS customer_id, a.audience, a.arm,
        COALESCE(a.decile, 0) AS decile, a.as_of AS assigned_on, CAST(a.as_of AS TIMESTAMP) AS assigned_at, 1 AS source
    FROM activation.assignment AS a
    LEFT JOIN profile.joined_customer AS j ON j.source_customer_id = a.customer_id
    UNION ALL
    SELECT
        a.campaign, a.customer_id, COALESCE(a.audience, '(not known)'), a.arm, COALESCE(d.decile, 0),
        CAST(a.assigned_at AS DATE), a.assigned_at, 2
    FROM lake.assignments AS a
    LEFT JOIN derived.decile_at_sending AS d
      ON d.month = CAST(DATE_TRUNC('month', a.assigned_at) AS DATE) AND d.customer_id = a.customer_id
    WHERE a.assigned_at < $as_of
),
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY campaign, customer_id
            ORDER BY
                source, assigned_at, CASE WHEN source = 1 AND arm = 'treated' THEN 0 ELSE 1 END, arm, audience, decile
        ) AS place
    FROM assigned
)
SELECT campaign, customer_id, audience, arm, decile, assigned_on FROM numbered WHERE place = 1
