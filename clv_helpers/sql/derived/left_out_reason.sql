-- What the params leave out of what came in, and what it comes to: rows that are neither accepted nor rejected.
-- amount: in the unit of the value; NULL where no amount is known.
-- One row: a dataset and a reason for which rows of it are left out.
-- Key: dataset, reason
SELECT
    l.dataset,
    l.reason,
    CAST(SUM(l.rows) AS BIGINT) AS events,
    CAST(SUM(l.amount) AS DECIMAL(38, 4)) AS amount
FROM lake.left_out AS l
GROUP BY l.dataset, l.reason
