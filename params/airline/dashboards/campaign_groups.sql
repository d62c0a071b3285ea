-- Campaigns in groups: those of a quarter together.
SELECT
    CONCAT(CAST(EXTRACT(YEAR FROM sent_on) AS VARCHAR), ' Q', CAST(EXTRACT(QUARTER FROM sent_on) AS VARCHAR)) AS campaign_group,
    audience,
    SUM(delivered) AS delivered,
    SUM(opened) AS opened,
    SUM(clicked) AS clicked
FROM campaigns.fact_campaign_result
GROUP BY 1, 2
