-- Who was drawn for a campaign: those whom stage 5 assigned, and those whom the data set assignments names. Of several
-- assignments the first holds, and never changes: results are analysed by intention to treat.
-- One row: a campaign and a member assigned to one of its arms.
-- Key: campaign, membership_number
WITH drawn AS (
    SELECT
        campaign, membership_number, audience, arm, COALESCE(decile, 0) AS decile,
        as_of AS assigned_on, CAST(as_of AS TIMESTAMP) AS assigned_at, 1 AS source
    FROM activation.assignment AS a
    UNION ALL
    SELECT
        a.campaign, a.membership_number, COALESCE(a.audience, '(not known)'), a.arm, COALESCE(d.decile, 0),
        CAST(a.assigned_at AS DATE), a.assigned_at, 2
    FROM lake.assignments AS a
    LEFT JOIN derived.decile_at_sending AS d
      ON d.month = CAST(DATE_TRUNC('month', a.assigned_at) AS DATE) AND d.membership_number = a.membership_number
    WHERE a.assigned_at < $as_of
),
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY campaign, membership_number ORDER BY source, assigned_at, arm, audience
        ) AS place
    FROM drawn
)
SELECT campaign, membership_number, audience, arm, decile, assigned_on FROM numbered WHERE place = 1
