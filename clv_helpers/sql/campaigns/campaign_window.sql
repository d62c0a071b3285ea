-- The window over which the effect of each campaign is measured, of all that are known from a sending, an activation or
-- an assignment: window_days from sent_on where the params give it, else from the day on which each customer was
-- assigned; before_days before that day make the covariate.
-- One row: a campaign.
-- Key: campaign
WITH mentioned AS (
    SELECT campaign, CAST(MIN(sent_at) AS DATE) AS since
    FROM derived.email_message
    WHERE sending_known = 1
    GROUP BY campaign
    UNION ALL
    SELECT campaign, MIN(as_of) FROM activation.delivery_run GROUP BY campaign
    UNION ALL
    SELECT campaign, MIN(assigned_on) FROM campaigns.customer_assignment GROUP BY campaign
),
known AS (
    SELECT campaign, MIN(since) AS since FROM mentioned GROUP BY campaign
)
SELECT
    k.campaign,
    COALESCE(s.sent_on, k.since) AS sent_on,
    s.sent_on AS starts_on,
    COALESCE(s.window_days, $window_days) AS window_days,
    COALESCE(s.before_days, $before_days) AS before_days
FROM known AS k
LEFT JOIN $campaign_settings AS s ON s.campaign = k.campaign
