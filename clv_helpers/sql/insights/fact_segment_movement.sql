-- Who moved from which RFM segment to which within the last month. 'not yet a customer': whoever had bought nothing by then.
-- moved: 1 where the segment is another.
-- One row: a segment a month ago and a segment now.
-- Key: segment_before, segment_now
-- Check: (SELECT COALESCE(SUM(customers), 0) FROM insights.fact_segment_movement WHERE segment_now <> 'no purchase left')
--   = (SELECT COUNT(*) FROM derived.rfm_segment)
WITH moved AS (
    SELECT
        COALESCE(b.rfm_segment, 'not yet a customer') AS segment_before,
        COALESCE(n.rfm_segment, 'no purchase left') AS segment_now,
        COALESCE(b.segment_order, 12) AS before_order,
        COALESCE(n.segment_order, 12) AS now_order
    FROM (SELECT * FROM derived.rfm_history WHERE months_ago = 0) AS n
    FULL JOIN (SELECT * FROM derived.rfm_history WHERE months_ago = 1) AS b ON b.customer_id = n.customer_id
)
SELECT
    segment_before,
    segment_now,
    MIN(before_order) AS before_order,
    MIN(now_order) AS now_order,
    CASE WHEN segment_before = segment_now THEN 0 ELSE 1 END AS moved,
    COUNT(*) AS customers,
    CAST(COUNT(*) AS DOUBLE) / NULLIF(SUM(COUNT(*)) OVER (PARTITION BY segment_before), 0) AS share_of_segment
FROM moved
GROUP BY segment_before, segment_now
