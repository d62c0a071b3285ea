-- Customers who share an e-mail address with a customer of the campaign's other arm: the message reaches the household, so
-- the effect comes out too small.
-- One row: a campaign.
-- Key: campaign
WITH addressed AS (
    SELECT a.campaign, i.identity, a.customer_id, a.arm
    FROM campaigns.customer_assignment AS a
    JOIN profile.identity AS i ON i.customer_id = a.customer_id AND i.namespace = $email_namespace
),
mixed AS (
    SELECT campaign, identity FROM addressed GROUP BY campaign, identity HAVING COUNT(DISTINCT arm) > 1
)
SELECT a.campaign, COUNT(DISTINCT a.customer_id) AS customers
FROM addressed AS a
JOIN mixed AS m ON m.campaign = a.campaign AND m.identity = a.identity
GROUP BY a.campaign
