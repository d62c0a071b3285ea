-- is_everyone: stands for all members together, not for a status that one holds.
-- One row: a status under which something was counted, or that a member holds.
-- Key: loyalty_status
WITH found AS (
    SELECT DISTINCT category AS loyalty_status FROM derived.member_day
    UNION
    SELECT DISTINCT loyalty_status FROM insights.dim_member_band
    UNION
    SELECT $no_category
)
SELECT loyalty_status, loyalty_status = $no_category AS is_everyone FROM found
