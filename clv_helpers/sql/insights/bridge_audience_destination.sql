-- Which audience goes where, and for what. activated_at: when the latest activation ended (UTC).
-- One row: an audience, a destination and a campaign, planned or done.
-- Key: audience, destination, campaign
-- Relation: destination -> insights.dim_destination.destination
-- Relation: campaign -> insights.dim_campaign.campaign
-- Relation: audience -> insights.dim_audience.audience
WITH planned AS (SELECT DISTINCT audience, destination, campaign FROM $planned_activations AS p),
done AS (
    SELECT
        audience,
        destination,
        campaign,
        COUNT(finished_at) AS activations,
        MAX(finished_at) AS activated_at,
        MAX_BY(customers, started_at) AS customers
    FROM activation.delivery_run
    GROUP BY audience, destination, campaign
)
SELECT
    COALESCE(p.audience, d.audience) AS audience,
    COALESCE(p.destination, d.destination) AS destination,
    COALESCE(p.campaign, d.campaign) AS campaign,
    NOT p.audience IS NULL AS is_planned,
    COALESCE(d.activations, 0) AS activations,
    d.activated_at,
    d.customers
FROM planned AS p
FULL JOIN done AS d ON d.audience = p.audience AND d.destination = p.destination AND d.campaign = p.campaign
