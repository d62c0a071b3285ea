-- One row: a campaign that messages name, that is planned here, or that was activated once.
-- Key: campaign
WITH sent AS (
    SELECT campaign, CAST(MIN(occurred_at) AS DATE) AS first_event_on, CAST(MAX(occurred_at) AS DATE) AS last_event_on
    FROM lake.email_events
    WHERE occurred_at < $as_of
    GROUP BY campaign
),
planned AS (SELECT DISTINCT campaign FROM $planned_activations AS p),
known AS (
    SELECT campaign FROM sent
    UNION
    SELECT campaign FROM planned
    UNION
    SELECT campaign FROM activation.delivery_run
)
SELECT
    k.campaign,
    s.first_event_on,
    s.last_event_on,
    NOT p.campaign IS NULL AS is_planned_here
FROM known AS k
LEFT JOIN sent AS s ON s.campaign = k.campaign
LEFT JOIN planned AS p ON p.campaign = k.campaign
