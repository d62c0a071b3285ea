-- Each rate of each campaign and audience, with its 95 % interval, and when the campaign was sent.
SELECT
    r.campaign, r.audience, r.kpi, r.numerator, r.denominator, r.rate, r.low, r.high, s.sent_on
FROM campaigns.fact_campaign_rate AS r
JOIN campaigns.fact_campaign_result AS s ON s.campaign = r.campaign AND s.audience = r.audience
WHERE r.decile_group = 'ALL'
