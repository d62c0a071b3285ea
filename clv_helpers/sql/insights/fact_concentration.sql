-- The concentration curves of stage 1, for the boards.
-- One row: a number of hundredths of the customers.
-- Key: percent_of_customers
-- Refresh: view
SELECT * FROM derived.concentration
