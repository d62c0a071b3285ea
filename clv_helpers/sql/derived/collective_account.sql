-- Customer ids that are perhaps nobody's: a till's, or that of all guests. Either 5 % of all events and more than 50
-- times as many as 99 of 100 customers, in a shop of 500 customers or more; or a name such as guest or 0, ten events and
-- five times as many as half of the customers.
-- looks_like: how it was found out, by its name or by its share.
-- One row: a customer id that may be a collective account.
-- Key: customer_id
WITH by_customer AS (
    SELECT
        customer_id,
        COUNT(*) AS events,
        SUM(CASE WHEN $counts_as_spend THEN CAST($spend AS DECIMAL(18, 4)) END) AS spend
    FROM lake.purchases
    WHERE occurred_at < $as_of
    GROUP BY customer_id
),
everybody AS (
    SELECT COUNT(*) AS customers, SUM(events) AS events, SUM(spend) AS spend FROM by_customer
),
candidates AS (
    SELECT
        c.customer_id,
        c.events,
        CAST(c.events AS DOUBLE) / NULLIF(a.events, 0) AS share_of_events,
        CAST(c.spend AS DOUBLE) / NULLIF(a.spend, 0) AS share_of_spend,
        a.customers,
        LOWER(TRIM(c.customer_id)) IN (
            '0', '-1', '0.0', '-1.0', '-', '00000', '9999', '99999', '999999', 'anonym', 'anonymous', 'barverkauf',
            'cash', 'gast', 'guest', 'guests', 'invitado', 'invite', 'laufkunde', 'n/a', 'na', 'nan', 'no account',
            'no customer', 'none', 'not set', '(not set)', 'null', 'undefined', 'unknown', 'walk-in', 'walkin'
        ) AS is_named_so
    FROM by_customer AS c
    CROSS JOIN everybody AS a
),
compared AS (
    SELECT
        c.customer_id,
        c.events,
        c.share_of_events,
        c.share_of_spend,
        c.is_named_so,
        c.customers,
        COUNT(CASE WHEN o.events * 50 > c.events THEN 1 END) AS over_a_fiftieth,
        COUNT(CASE WHEN o.events * 5 > c.events THEN 1 END) AS over_a_fifth
    FROM candidates AS c
    CROSS JOIN by_customer AS o
    WHERE c.events >= 10 AND (c.is_named_so OR c.share_of_events >= 0.05)
    GROUP BY c.customer_id, c.events, c.share_of_events, c.share_of_spend, c.is_named_so, c.customers
)
SELECT
    customer_id,
    events,
    share_of_events,
    share_of_spend,
    CASE WHEN is_named_so THEN 'name' ELSE 'share' END AS looks_like
FROM compared
WHERE (is_named_so AND over_a_fifth * 2 <= customers)
    OR (share_of_events >= 0.05 AND customers >= 500 AND over_a_fiftieth * 100 <= customers)
