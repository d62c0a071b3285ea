-- One row: a look-back; lookback_months 0 is the whole lifetime. ends_before is not inside it.
-- Key: lookback_months
SELECT lookback_months, lookback, lookback_order, starts_on, ends_before FROM derived.lookback WHERE lookback_months >= 0
