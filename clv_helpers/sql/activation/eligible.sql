-- The reasons that hold for a customer alone: the first that applies, NULL where none does. Consent that is not known
-- is no consent; a campaign's own messages do not count towards its cap.
-- One row: a planned activation and a customer of its audience.
-- Key: campaign, destination, customer_id
WITH suppressed AS (
    SELECT customer_id, MAX(reason) AS reason
    FROM activation.suppression
    GROUP BY customer_id
),
written_to AS (
    SELECT plan.campaign, plan.destination, m.customer_id
    FROM activation.plan AS plan
    JOIN activation.message AS m
      ON m.campaign <> plan.campaign AND DATE_DIFF('day', m.sent_on, $as_of) < plan.cap_days
    GROUP BY plan.campaign, plan.destination, m.customer_id
    HAVING COUNT(*) >= MIN(plan.cap_messages)
)
SELECT
    plan.campaign,
    plan.audience,
    plan.destination,
    m.customer_id,
    p.decile_lifetime AS decile,
    m.last_qualified_at AS qualified_at,
    CASE
        WHEN plan.require_consent AND NOT COALESCE(p.email_consent, FALSE) THEN 'no consent'
        WHEN NOT s.reason IS NULL THEN s.reason
        WHEN NOT w.customer_id IS NULL THEN 'capped'
    END AS outcome
FROM activation.plan AS plan
JOIN audiences.membership AS m ON m.audience = plan.audience
JOIN profile.customer AS p ON p.customer_id = m.customer_id
LEFT JOIN suppressed AS s ON s.customer_id = m.customer_id
LEFT JOIN written_to AS w
  ON w.campaign = plan.campaign AND w.destination = plan.destination AND w.customer_id = m.customer_id
