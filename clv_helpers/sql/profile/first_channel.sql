-- By which channel each customer came, as `acquisition` of the params tells it, and when; nobody where they do not ask.
-- channel: (not known) where nothing tells it. cohort: the month of the first purchase.
-- One row: a customer with a purchase.
-- Key: customer_id
-- Refresh: view
SELECT
    customer_id,
    COALESCE(NULLIF(TRIM($channel), ''), '(not known)') AS channel,
    CAST(DATE_TRUNC('month', first_purchase_on) AS DATE) AS cohort,
    DATE_DIFF('day', first_purchase_on, as_of) - 1 AS age_days
FROM profile.customer
CROSS JOIN derived.as_of
WHERE $has_acquisition AND NOT first_purchase_on IS NULL
