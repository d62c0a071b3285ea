-- Loyalty events for readers: the builder's live estimate asks them, and the lake itself is open to its writer alone.
-- In the order of time, so that a question about the last months reads no more than those.
-- One row: an event before as_of.
-- Key: _event_number
WITH counted AS (
    SELECT * FROM lake.loyalty_events WHERE occurred_at < $as_of
)
SELECT ROW_NUMBER() OVER (ORDER BY occurred_at, membership_number) AS _event_number, * FROM counted
