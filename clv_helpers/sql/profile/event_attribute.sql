-- Columns of one's own in the loyalty events that the params mark as attributes: the latest value, as last_<name>.
-- One row: a member with an event before as_of; none where nothing is marked.
-- Key: membership_number
-- Refresh: by membership_number through stated
WITH stated AS (
    SELECT * FROM lake.loyalty_events WHERE $has_event_attributes AND occurred_at < $as_of
)
SELECT membership_number, $event_attributes
FROM stated
GROUP BY membership_number
