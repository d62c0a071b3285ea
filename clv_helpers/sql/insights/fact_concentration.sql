-- The concentration curves of stage 1, for the boards.
-- One row: a hundredth of the members.
-- Key: percent_of_members
-- Refresh: view
SELECT * FROM derived.concentration
