-- What became of the campaigns, step by step, in people.
SELECT campaign, audience, sent_on, 'Sent' AS step, 1 AS step_order, sent AS people FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Accepted', 2, accepted FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Opened', 3, opened FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Clicked', 4, clicked FROM campaigns.fact_campaign_result
