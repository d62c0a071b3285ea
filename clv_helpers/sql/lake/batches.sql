-- Where each batch stands now. Its history is lake.batch_log, to which rows are only added.
-- One row: a batch.
-- Key: _batch_id
WITH steps AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY _batch_id ORDER BY step DESC) AS newest,
        MIN(at) OVER (PARTITION BY _batch_id) AS started_at
    FROM lake.batch_log
)
SELECT
    _batch_id,
    dataset,
    file,
    sha256,
    status,
    rows_read,
    rows_accepted,
    rows_rejected,
    rows_left_out,
    first_event_at,
    last_event_at,
    reason,
    version,
    started_at,
    at AS changed_at
FROM steps
WHERE newest = 1
