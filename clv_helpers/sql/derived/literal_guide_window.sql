-- How far the guide's cut-offs, read literally, are from trailing windows of as many months. Empty unless the params ask
-- for literal_guide_windows.
-- trailing, literal: customers ranked; differing: ranked by both, in another decile.
-- One row: a look-back that is ranked both ways.
-- Key: lookback
-- Refresh: view
WITH pairs AS (
    SELECT
        customer_id,
        ABS(lookback_months) AS months,
        MAX(CASE WHEN lookback_months > 0 THEN decile END) AS trailing,
        MAX(CASE WHEN lookback_months < 0 THEN decile END) AS literal
    FROM derived.customer_decile
    WHERE $literal_guide_windows AND category = $no_category AND ABS(lookback_months) IN (1, 3, 6)
    GROUP BY customer_id, ABS(lookback_months)
)
SELECT
    l.lookback,
    l.lookback_order,
    COUNT(p.trailing) AS trailing,
    COUNT(p.literal) AS literal,
    COUNT(CASE WHEN p.trailing <> p.literal THEN 1 END) AS differing
FROM pairs AS p
JOIN derived.lookback AS l ON l.lookback_months = p.months
GROUP BY l.lookback, l.lookback_order
