-- Spend to come, by calendar month: of the customers known on as_of, and of those who will come, beside what the same
-- month a year before brought. Spend as paid: before the margin, not discounted. See clv_helpers/lifetime/plan.py.
-- new, total: NULL where the record says why new customers cannot be told. last_year: NULL where the data do not hold
-- that whole month. customers: those whom the sum of the fewest is about.
-- One row: a whole month ahead, within the horizon.
-- Key: month
WITH everyone AS (SELECT COUNT(*) AS customers FROM lifetime.customer_history)
SELECT
    a.month,
    a.known,
    a.new,
    a.known + a.new AS total,
    y.spend AS last_year,
    CASE WHEN y.customers < e.customers THEN y.customers ELSE e.customers END AS customers
FROM lifetime.month_ahead AS a
CROSS JOIN everyone AS e
LEFT JOIN lifetime.month_of_spend AS y ON y.month = CAST(a.month - INTERVAL '1' YEAR AS DATE)
