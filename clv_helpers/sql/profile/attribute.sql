-- What profile.customer is made of, without the ages that move each day: only customers of whom something changed are
-- joined again. Of a customer with several ids (identities of the params) it is what they say together. category is the
-- one of the customer's latest counted event.
-- One row: a customer, known from an event before as_of or from the customers data.
-- Key: customer_id
-- Refresh: by customer_id
WITH by_recency AS (
    SELECT customer_id, category, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY last_at DESC, category DESC) AS age
    FROM derived.customer_day
),
last_category AS (
    SELECT customer_id, category FROM by_recency WHERE age = 1
),
newest AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY $id_as_it_came ORDER BY _batch_id DESC) AS age
    FROM lake.customers
    WHERE $customers_in_profile
),
attributes AS (
    SELECT * FROM $said_of_customers AS said
),
identities AS (
    SELECT customer_id FROM last_category
    UNION
    SELECT customer_id FROM attributes
    UNION
    SELECT customer_id FROM profile.event_attribute
    UNION
    SELECT customer_id FROM profile.email_attribute
    UNION
    SELECT customer_id FROM $event_customers AS seen
),
deciles AS (
    SELECT
        customer_id,
        MAX(CASE WHEN lookback_months = 1 THEN decile END) AS decile_1_month,
        MAX(CASE WHEN lookback_months = 3 THEN decile END) AS decile_3_months,
        MAX(CASE WHEN lookback_months = 6 THEN decile END) AS decile_6_months,
        MAX(CASE WHEN lookback_months = 9 THEN decile END) AS decile_9_months,
        MAX(CASE WHEN lookback_months = 12 THEN decile END) AS decile_12_months,
        MAX(CASE WHEN lookback_months = 0 THEN decile END) AS decile_lifetime
    FROM derived.customer_decile
    WHERE category = $no_category
    GROUP BY customer_id
)
SELECT
    i.customer_id,
    a.* EXCLUDE (customer_id),
    o.* EXCLUDE (customer_id),
    e.last_sent_on,
    e.last_clicked_on,
    c.category,
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
    v.monetary_value,
    $first_and_last_product
FROM identities AS i
LEFT JOIN attributes AS a ON a.customer_id = i.customer_id
LEFT JOIN profile.event_attribute AS o ON o.customer_id = i.customer_id
LEFT JOIN profile.email_attribute AS e ON e.customer_id = i.customer_id
LEFT JOIN last_category AS c ON c.customer_id = i.customer_id
LEFT JOIN deciles AS d ON d.customer_id = i.customer_id
LEFT JOIN derived.customer_value AS v ON v.customer_id = i.customer_id
LEFT JOIN derived.customer_product AS p ON p.customer_id = i.customer_id
