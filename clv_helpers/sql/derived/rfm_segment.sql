-- RFM scores and segment as of today: see derived.rfm_history.
-- One row: a customer with at least one purchase day before as_of.
-- Key: customer_id
-- Refresh: view
SELECT customer_id, recency_score, frequency_score, monetary_score, rfm_segment
FROM derived.rfm_history
WHERE months_ago = 0
