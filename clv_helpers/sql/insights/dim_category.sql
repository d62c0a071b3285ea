-- is_everyone: stands for all customers together, not for a category of its own.
-- One row: a category under which something was counted, or that a customer holds.
-- Key: category
WITH named AS (
    SELECT DISTINCT category FROM derived.customer_day
    UNION
    SELECT DISTINCT category FROM insights.dim_customer_band
    UNION
    SELECT $no_category
)
SELECT category, category = $no_category AS is_everyone FROM named
