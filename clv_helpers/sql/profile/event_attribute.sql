-- Columns of one's own in the purchases that the params mark as attributes: the latest value, as last_<name>.
-- One row: a customer with an event before as_of; none where nothing is marked.
-- Key: customer_id
-- Refresh: by customer_id through stated
WITH stated AS (
    SELECT * FROM lake.purchases WHERE $has_event_attributes AND occurred_at < $as_of
)
SELECT customer_id, $event_attributes
FROM stated
GROUP BY customer_id
