-- The reasons that hold for a member alone: the first that applies, NULL where none does. Consent that is not known
-- is no consent; a campaign's own messages do not count towards its cap.
-- One row: a planned activation and a member of its audience.
-- Key: campaign, destination, membership_number
WITH suppressed AS (
    SELECT membership_number, MAX(reason) AS reason
    FROM activation.suppression
    GROUP BY membership_number
),
written_to AS (
    SELECT plan.campaign, plan.destination, m.membership_number
    FROM activation.plan AS plan
    JOIN activation.message AS m
      ON m.campaign <> plan.campaign AND DATE_DIFF('day', m.sent_on, $as_of) < plan.cap_days
    GROUP BY plan.campaign, plan.destination, m.membership_number
    HAVING COUNT(*) >= MIN(plan.cap_messages)
)
SELECT
    plan.campaign,
    plan.audience,
    plan.destination,
    m.membership_number,
    p.decile_lifetime AS decile,
    m.last_qualified_at AS qualified_at,
    CASE
        WHEN plan.require_consent AND NOT COALESCE(p.email_consent, FALSE) THEN 'no consent'
        WHEN NOT s.reason IS NULL THEN s.reason
        WHEN NOT w.membership_number IS NULL THEN 'capped'
    END AS outcome
FROM activation.plan AS plan
JOIN audiences.membership AS m ON m.audience = plan.audience
JOIN profile.member AS p ON p.membership_number = m.membership_number
LEFT JOIN suppressed AS s ON s.membership_number = m.membership_number
LEFT JOIN written_to AS w
  ON w.campaign = plan.campaign AND w.destination = plan.destination AND w.membership_number = m.membership_number
