-- The concentration curves of stage 1, for the boards.
-- One row: a number of hundredths of the members.
-- Key: percent_of_members
-- Refresh: view
SELECT * FROM derived.concentration
