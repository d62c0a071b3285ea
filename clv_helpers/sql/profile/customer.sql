-- The profile: what audiences ask about a customer. Deciles are over all customers (see derived.customer_decile),
-- NULL where the customer earned nothing in that look-back.
-- age_days: from the first purchase day to as_of (the T of the lifetime models ends a day earlier).
-- days_since_purchase: from the last purchase day to as_of.
-- What is predicted (see lifetime.customer_lifetime_value) is NULL where it is switched off or refused.
-- RFM scores and segment (see derived.rfm_segment) are NULL for who has bought nothing.
-- is_bot: as scored (see derived.bot), where the params ask for bots.
-- first_touch, last_touch: before the latest purchase (see derived.latest_touch), where the params ask for attribution.
-- Attributes of the params and of an analyst's tables stand beside; arithmetic over them comes last.
-- One row: a customer, known from an event before as_of or from the customers data.
-- Key: customer_id
-- Refresh: view
WITH known AS (
    SELECT
        m.*,
        DATE_DIFF('day', m.first_purchase_on, a.as_of) AS age_days,
        DATE_DIFF('day', m.last_purchase_on, a.as_of) AS days_since_purchase,
        l.probability_alive,
        l.expected_purchases,
        l.probability_purchase,
        l.expected_spend,
        l.lifetime_value,
        l.historic_value,
        l.decile_predicted,
        l.next_purchase_expected,
        l.overdue,
        l.value_at_risk,
        l.purchases_low,
        l.purchases_high,
        l.lifetime_value_low,
        l.lifetime_value_high,
        l.lifetime_value_spread,
        r.recency_score,
        r.frequency_score,
        r.monetary_score,
        r.rfm_segment,
        n.* EXCLUDE (customer_id),
        $is_bot,
        $first_and_last_touch,
        $params_attributes
    FROM profile.attribute AS m
    CROSS JOIN derived.as_of AS a
    LEFT JOIN lifetime.customer_lifetime_value AS l ON l.customer_id = m.customer_id
    LEFT JOIN derived.rfm_segment AS r ON r.customer_id = m.customer_id
    LEFT JOIN derived.bot AS b ON b.customer_id = m.customer_id
    LEFT JOIN derived.latest_touch AS t ON t.customer_id = m.customer_id
    LEFT JOIN profile.params_attribute AS o ON o.customer_id = m.customer_id
    LEFT JOIN profile.own_attribute AS n ON n.customer_id = m.customer_id
)
SELECT k.*, $formulas
FROM known AS k
