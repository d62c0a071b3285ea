-- The deciles in the guide's shape: for each look-back a map of category → decile. A customer who held several
-- categories in a look-back has an entry for each; a look-back in which nothing was earned is empty.
-- One row: a customer with a decile.
-- Key: customer_id
-- Refresh: view
SELECT
    customer_id,
    {
        'decileMonth1': MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': decile}) FILTER (WHERE lookback_months = 1))),
        'decileMonth3': MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': decile}) FILTER (WHERE lookback_months = 3))),
        'decileMonth6': MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': decile}) FILTER (WHERE lookback_months = 6))),
        'decileMonth9': MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': decile}) FILTER (WHERE lookback_months = 9))),
        'decileMonth12': MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': decile}) FILTER (WHERE lookback_months = 12))),
        'decileMonthAll': MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': decile}) FILTER (WHERE lookback_months = 0)))
    } AS "decilesMileage"
FROM derived.customer_decile
WHERE category <> $no_category OR NOT $has_category
GROUP BY customer_id
