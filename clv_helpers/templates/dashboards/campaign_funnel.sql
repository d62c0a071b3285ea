-- What became of the campaigns, step by step. A person counts once in each campaign, so over several these are
-- messages, not people.
SELECT campaign, audience, sent_on, 'Sent' AS step, 1 AS step_order, sent AS messages FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Accepted', 2, accepted FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Opened', 3, opened FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Clicked', 4, clicked FROM campaigns.fact_campaign_result
