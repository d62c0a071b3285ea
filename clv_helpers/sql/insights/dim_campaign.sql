-- One row: a campaign that messages name, or that is planned here.
-- Key: campaign
WITH sent AS (
    SELECT campaign, CAST(MIN(occurred_at) AS DATE) AS first_event_on, CAST(MAX(occurred_at) AS DATE) AS last_event_on
    FROM lake.email_events
    WHERE occurred_at < $as_of
    GROUP BY campaign
),
planned AS (SELECT DISTINCT campaign FROM $planned_activations AS p)
SELECT
    COALESCE(s.campaign, p.campaign) AS campaign,
    s.first_event_on,
    s.last_event_on,
    NOT p.campaign IS NULL AS is_planned_here
FROM sent AS s
FULL JOIN planned AS p ON p.campaign = s.campaign
