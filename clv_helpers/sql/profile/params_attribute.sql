-- What `attributes` of the params make of events, side by side; made from the params, and empty where they have none.
-- Of days since an event it holds the day: profile.customer counts from it, as as_of moves.
-- One row: a customer with an event that an attribute asks.
-- Key: customer_id
-- Refresh: view
SELECT customer_id FROM profile.event_attribute WHERE FALSE
