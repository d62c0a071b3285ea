-- One row: a day on which something counted happened.
-- Key: day
SELECT DISTINCT
    day,
    CAST(DATE_TRUNC('month', day) AS DATE) AS month,
    EXTRACT(YEAR FROM day) AS year,
    EXTRACT(QUARTER FROM day) AS quarter,
    EXTRACT(MONTH FROM day) AS month_of_year
FROM derived.member_day
