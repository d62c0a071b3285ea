-- How often customers bought against how long ago: where the programme keeps them, and where it loses them.
-- One row: a cell of the recency × frequency grid that holds at least one customer.
-- Key: frequency_band, recency_band
SELECT
    b.frequency_band,
    b.frequency_order,
    b.recency_band,
    b.recency_order,
    COUNT(*) AS customers,
    SUM(v.value) AS value,
    SUM(v.spend) AS spend,
    CAST(SUM(v.spend) AS DOUBLE) / COUNT(*) AS spend_per_customer,
    CAST(COUNT(*) AS DOUBLE) / SUM(COUNT(*)) OVER () AS share_of_customers
FROM derived.customer_band AS b
JOIN derived.customer_value AS v ON v.customer_id = b.customer_id
GROUP BY b.frequency_band, b.frequency_order, b.recency_band, b.recency_order
