-- What profile.member is made of, without the ages that move each day: only members of whom something changed are
-- joined anew. loyalty_status is the one of the member's latest counted event.
-- One row: a member, known from an event before as_of or from the members data.
-- Key: membership_number
-- Refresh: by membership_number
WITH by_recency AS (
    SELECT membership_number, category, ROW_NUMBER() OVER (PARTITION BY membership_number ORDER BY last_at DESC, category DESC) AS age
    FROM derived.member_day
),
last_category AS (
    SELECT membership_number, category FROM by_recency WHERE age = 1
),
newest AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY membership_number ORDER BY _batch_id DESC) AS age
    FROM lake.members
    WHERE $members_in_profile
),
attributes AS (
    SELECT * FROM newest WHERE age = 1
),
identities AS (
    SELECT membership_number FROM last_category
    UNION
    SELECT membership_number FROM attributes
    UNION
    SELECT membership_number FROM profile.event_attribute
    UNION
    SELECT membership_number FROM profile.email_attribute
),
deciles AS (
    SELECT
        membership_number,
        MAX(CASE WHEN lookback_months = 1 THEN decile END) AS decile_1_month,
        MAX(CASE WHEN lookback_months = 3 THEN decile END) AS decile_3_months,
        MAX(CASE WHEN lookback_months = 6 THEN decile END) AS decile_6_months,
        MAX(CASE WHEN lookback_months = 9 THEN decile END) AS decile_9_months,
        MAX(CASE WHEN lookback_months = 12 THEN decile END) AS decile_12_months,
        MAX(CASE WHEN lookback_months = 0 THEN decile END) AS decile_lifetime
    FROM derived.member_decile
    WHERE category = $no_category
    GROUP BY membership_number
)
SELECT
    i.membership_number,
    a.* EXCLUDE (membership_number, _batch_id, age),
    o.* EXCLUDE (membership_number),
    e.last_sent_on,
    e.last_clicked_on,
    c.category AS loyalty_status,
    d.decile_1_month,
    d.decile_3_months,
    d.decile_6_months,
    d.decile_9_months,
    d.decile_12_months,
    d.decile_lifetime,
    v.first_purchase_on,
    v.last_purchase_on,
    v.frequency,
    v.recency_days,
    v.purchases,
    v.value,
    v.spend,
    v.monetary_value
FROM identities AS i
LEFT JOIN attributes AS a ON a.membership_number = i.membership_number
LEFT JOIN profile.event_attribute AS o ON o.membership_number = i.membership_number
LEFT JOIN profile.email_attribute AS e ON e.membership_number = i.membership_number
LEFT JOIN last_category AS c ON c.membership_number = i.membership_number
LEFT JOIN deciles AS d ON d.membership_number = i.membership_number
LEFT JOIN derived.member_value AS v ON v.membership_number = i.membership_number
