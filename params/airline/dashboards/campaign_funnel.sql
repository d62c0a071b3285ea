-- Steps of each campaign and audience, in people.
SELECT campaign, audience, '1 sent' AS step, sent AS people FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, '2 accepted', accepted FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, '3 opened', opened FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, '4 clicked', clicked FROM campaigns.fact_campaign_result
