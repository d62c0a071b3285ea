-- Who leaves and who stays, and why: the first reason that applies. Consent that is not known is no consent.
-- One row: a planned activation and a member of its audience.
-- Key: campaign, destination, membership_number
WITH suppressed AS (
    SELECT membership_number, MIN(reason) AS reason
    FROM activation.suppression
    GROUP BY membership_number
)
SELECT
    plan.campaign,
    plan.audience,
    plan.destination,
    m.membership_number,
    CASE
        WHEN plan.require_consent AND NOT COALESCE(p.email_consent, FALSE) THEN 'no consent'
        WHEN NOT s.reason IS NULL THEN s.reason
        WHEN NOT $has_mandatory THEN 'missing attribute'
        ELSE 'sent'
    END AS outcome
FROM activation.plan AS plan
JOIN audiences.membership AS m ON m.audience = plan.audience
JOIN profile.member AS p ON p.membership_number = m.membership_number
LEFT JOIN suppressed AS s ON s.membership_number = m.membership_number
