-- Whom no message may reach, whatever an audience says, as far as is known now: an unsubscription after as_of counts too.
-- suppressed: has unsubscribed or complained. bounced: the address does not exist, as bounce_type says, or where it
-- says nothing bounce_code does (5.x.x; 5.7.x is a refusal, and no word on the address).
-- What retention took out of the events counts on. Of customers who were joined, what one of them said holds for all.
-- One row: a customer and a reason.
-- Key: customer_id, reason
WITH response AS (
    SELECT customer_id, event_type, bounce_type, bounce_code FROM lake.email_events
    UNION ALL
    SELECT COALESCE(j.customer_id, r.customer_id), r.event_type, r.bounce_type, r.bounce_code
    FROM lake.kept_response AS r
    LEFT JOIN profile.joined_customer AS j ON j.source_customer_id = r.customer_id
)
SELECT DISTINCT
    customer_id,
    CASE WHEN event_type = 'bounced' THEN 'bounced' ELSE 'suppressed' END AS reason
FROM response
WHERE event_type IN ('unsubscribed', 'complained')
   OR (event_type = 'bounced' AND bounce_type = 'hard')
   OR (
       event_type = 'bounced' AND COALESCE(bounce_type, '') = '' AND bounce_code LIKE '5%'
       AND NOT (bounce_code LIKE '5.7.%' OR bounce_code LIKE '5__ 5.7.%' OR bounce_code LIKE '5__-5.7.%')
   )
