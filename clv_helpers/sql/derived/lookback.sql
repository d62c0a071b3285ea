-- Trailing windows that end at the first of as_of's month, so that they do not move within the month.
-- starts_on is inside the window, ends_before is not. lookback_months 0 stands for the whole lifetime.
-- lookback_order: the order to show them in, the lifetime after the windows.
-- With literal_guide_windows in the params, three more for comparison: the guide's own query keeps what lies before a cut-off of
-- 0, 1 and 4 months ago and calls it 1, 3 and 6 months. Their lookback_months are negative.
-- One row: a look-back.
-- Key: lookback_months
WITH month AS (SELECT CAST(DATE_TRUNC('month', $as_of) AS DATE) AS first_day)
SELECT 1 AS lookback_months, '1 month' AS lookback, 1 AS lookback_order, CAST(first_day - INTERVAL '1' MONTH AS DATE) AS starts_on, first_day AS ends_before FROM month
UNION ALL
SELECT 3, '3 months', 3, CAST(first_day - INTERVAL '3' MONTH AS DATE), first_day FROM month
UNION ALL
SELECT 6, '6 months', 6, CAST(first_day - INTERVAL '6' MONTH AS DATE), first_day FROM month
UNION ALL
SELECT 9, '9 months', 9, CAST(first_day - INTERVAL '9' MONTH AS DATE), first_day FROM month
UNION ALL
SELECT 12, '12 months', 12, CAST(first_day - INTERVAL '12' MONTH AS DATE), first_day FROM month
UNION ALL
SELECT 0, 'lifetime', 13, CAST('1900-01-01' AS DATE), first_day FROM month
UNION ALL
SELECT -1, '1 month (literal window)', 14, CAST('1900-01-01' AS DATE), first_day FROM month WHERE $literal_guide_windows
UNION ALL
SELECT -3, '3 months (literal window)', 16, CAST('1900-01-01' AS DATE), CAST(first_day - INTERVAL '1' MONTH AS DATE) FROM month WHERE $literal_guide_windows
UNION ALL
SELECT -6, '6 months (literal window)', 19, CAST('1900-01-01' AS DATE), CAST(first_day - INTERVAL '4' MONTH AS DATE) FROM month WHERE $literal_guide_windows
