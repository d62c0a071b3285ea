-- What became of the messages, step by step.
SELECT campaign, audience, sent_on, 'Sent' AS step, 1 AS step_order, sent AS messages FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Delivered', 2, delivered FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Opened by people', 3, opened FROM campaigns.fact_campaign_result
UNION ALL
SELECT campaign, audience, sent_on, 'Clicked', 4, clicked FROM campaigns.fact_campaign_result
