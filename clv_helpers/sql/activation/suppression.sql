-- Whom no message may reach, whatever an audience says.
-- One row: a member and a reason.
-- Key: membership_number, reason
SELECT DISTINCT
    membership_number,
    CASE event_type WHEN 'bounced' THEN 'hard bounce' WHEN 'complained' THEN 'complaint' ELSE 'unsubscribed' END AS reason
FROM lake.email_events
WHERE occurred_at < $as_of
  AND (event_type IN ('unsubscribed', 'complained') OR (event_type = 'bounced' AND bounce_type = 'hard'))
