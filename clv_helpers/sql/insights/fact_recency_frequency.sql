-- The recency × frequency grid of stage 1, for the boards.
-- One row: a cell of the recency × frequency grid that holds at least one customer.
-- Key: frequency_band, recency_band
-- Refresh: view
SELECT * FROM derived.recency_frequency
