-- What was rejected, and why: counts only, as a rejected value may name a person.
-- One row: a dataset, a column and a reason for which rows were rejected.
-- Key: dataset, column_name, reason
SELECT
    r.dataset,
    r.column_name,
    r.reason,
    COUNT(*) AS rejected_rows,
    COUNT(DISTINCT r._batch_id) AS batches
FROM lake.rejected_rows AS r
GROUP BY r.dataset, r.column_name, r.reason
