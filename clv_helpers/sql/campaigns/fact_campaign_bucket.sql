-- Opens by campaign group: campaigns that were sent to a similar number of people stand together.
-- One row: a bucket of sends into which a campaign fell.
-- Key: bucket
WITH campaign AS (
    SELECT campaign, SUM(sent) AS sent, SUM(accepted) AS accepted, SUM(opened) AS opened, SUM(clicked) AS clicked
    FROM campaigns.fact_campaign_result
    GROUP BY campaign
),
placed AS (
    SELECT
        *,
        CASE
            WHEN sent < 1000 THEN 1 WHEN sent < 2000 THEN 2 WHEN sent < 5000 THEN 3 WHEN sent < 10000 THEN 4
            WHEN sent < 50000 THEN 5 WHEN sent < 200000 THEN 6 ELSE 7
        END AS bucket_order
    FROM campaign
)
SELECT
    bucket_order,
    CASE bucket_order
        WHEN 1 THEN 'under 1,000' WHEN 2 THEN '1,000 to 1,999' WHEN 3 THEN '2,000 to 4,999' WHEN 4 THEN '5,000 to 9,999'
        WHEN 5 THEN '10,000 to 49,999' WHEN 6 THEN '50,000 to 199,999' ELSE '200,000 and more'
    END AS bucket,
    COUNT(*) AS campaigns,
    CAST(SUM(sent) AS BIGINT) AS sent,
    CAST(SUM(accepted) AS BIGINT) AS accepted,
    CAST(SUM(opened) AS DOUBLE) AS opened,
    CAST(SUM(clicked) AS BIGINT) AS clicked,
    CAST(SUM(opened) AS DOUBLE) / NULLIF(SUM(CASE WHEN NOT opened IS NULL THEN accepted END), 0) AS open_rate,
    CAST(SUM(clicked) AS DOUBLE) / NULLIF(SUM(accepted), 0) AS click_rate
FROM placed
GROUP BY bucket_order
