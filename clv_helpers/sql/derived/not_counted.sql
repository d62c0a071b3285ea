-- What came in and counts nowhere, or not yet: events of other types, events after as_of,
-- rejected rows, rows left out, failed files.
-- becomes: what happens to them.
-- One row: a dataset and a reason for which rows of it do not count.
-- Key: dataset, reason
-- Refresh: view
SELECT 'purchases' AS dataset, 'transactions of type ' || COALESCE(transaction_type, '(none)') AS reason,
    COUNT(*) AS events, 'kept, and counted neither as value nor as spend' AS becomes
FROM lake.purchases
WHERE occurred_at < $as_of AND NOT ($counts_as_value OR $counts_as_spend)
GROUP BY transaction_type
UNION ALL
SELECT 'purchases', 'events on ' || CAST($as_of AS VARCHAR) || ' or later', COUNT(*),
    'kept, and counted once as_of has passed them'
FROM lake.purchases
WHERE occurred_at >= $as_of
HAVING COUNT(*) > 0
UNION ALL
SELECT 'purchases', 'counted events of the month that is not over', COUNT(*),
    'in the profile and the months; in the deciles from the next month on'
FROM lake.purchases
WHERE occurred_at >= DATE_TRUNC('month', $as_of) AND occurred_at < $as_of AND ($counts_as_value OR $counts_as_spend)
HAVING COUNT(*) > 0
UNION ALL
SELECT dataset, column_name || ' ' || reason, rejected_rows, 'rejected, kept in lake.rejected_rows'
FROM derived.rejected_reason
UNION ALL
SELECT dataset, reason, events, 'left out, as the params say'
FROM derived.left_out_reason
UNION ALL
SELECT f.dataset, 'the whole file ' || f.file || ', which failed', MAX(f.rows_read),
    CASE WHEN MAX(t._batch_id) IS NULL THEN 'none of it is in the lake; clv batches says why'
        ELSE 'taken in since, as batch ' || CAST(MAX(t._batch_id) AS VARCHAR) END
FROM lake.batches AS f
LEFT JOIN lake.batches AS t
    ON t.status = 'success' AND t.dataset = f.dataset AND (t.file = f.file OR t.sha256 = f.sha256)
WHERE f.status = 'failed'
GROUP BY f.dataset, f.file
