-- The columns of an analyst's tables with `Attribute of: customer`, side by side; empty where there is none.
-- One row: a customer in an analyst's table of attributes.
-- Key: customer_id
-- Refresh: view
SELECT customer_id FROM profile.event_attribute WHERE FALSE
