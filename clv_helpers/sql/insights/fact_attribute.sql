-- How far the attributes are filled that the params and an analyst's tables add to the profile.
-- One row: an attribute of customers.
-- Key: attribute
SELECT attribute_order, attribute, made_of, customers, of_customers
FROM profile.filled_attribute
