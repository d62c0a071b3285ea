-- The profile: what audiences ask about a member. Deciles are over all members (see derived.member_decile),
-- NULL where the member earned nothing in that look-back.
-- age_days: from the first purchase day to as_of (the T of the lifetime models).
-- days_since_purchase: from the last purchase day to as_of.
-- What is predicted (see lifetime.member_lifetime_value) is NULL where it is switched off or refused.
-- One row: a member, known from an event before as_of or from the members data.
-- Key: membership_number
-- Refresh: view
SELECT
    m.*,
    DATE_DIFF('day', m.first_purchase_on, a.as_of) AS age_days,
    DATE_DIFF('day', m.last_purchase_on, a.as_of) AS days_since_purchase,
    l.probability_alive,
    l.expected_purchases,
    l.probability_of_purchase,
    l.expected_spend,
    l.lifetime_value,
    l.historic_value,
    l.decile_predicted
FROM profile.attribute AS m
CROSS JOIN derived.as_of AS a
LEFT JOIN lifetime.member_lifetime_value AS l ON l.membership_number = m.membership_number
