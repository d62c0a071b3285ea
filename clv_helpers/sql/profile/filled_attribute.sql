-- How far the attributes are filled that the params and an analyst's tables add to the profile, and what each is made of;
-- of counts and sums those who have more than none. Empty where there are none.
-- One row: an attribute of customers.
-- Key: attribute
WITH counted AS (
    SELECT COUNT(*) AS of_customers FROM profile.customer
)
SELECT 0 AS attribute_order, '' AS attribute, '' AS made_of, of_customers AS customers, of_customers
FROM counted
WHERE FALSE
