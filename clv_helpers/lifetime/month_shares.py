"""How a forecast is spread over the calendar months ahead, by the age of customers: for whatever sums it by month."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.ingest.retention import first_day
from clv_helpers.lifetime.counts import Array
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.scoring import expected_purchases

if TYPE_CHECKING:
    import pandas as pd

SPARE_DAYS = 31  # a fit that is kept scores customers until the month ends, who grow older meanwhile


def month_shares(fitted: Fit, groups: pd.DataFrame, as_of: dt.date, horizon_days: int) -> pd.DataFrame:
    """Which share of the purchases of the horizon is expected by the end of each calendar month that ends within it.

    One row: an age in days since the first purchase, and a month (its first day; the first one is that of as_of).
    Customers of one age are taken together: what they differ by moves the spread little, and the sum not at all. Ages
    that nobody has are between those beside them. Cost: that of expecting each history's purchases, once a month.
    """
    import pandas as pd

    months = _months(as_of, horizon_days)
    ages, index = np.unique(groups["age_days"].to_numpy(), return_inverse=True)
    customers = groups["customers"].to_numpy(float)

    def until(days: float) -> Array:
        expected = customers * expected_purchases(fitted, groups, days)
        return np.bincount(index.ravel(), weights=expected).astype(float)

    whole = np.maximum(until(horizon_days), np.finfo(float).tiny)
    every = np.arange(int(ages.max()) + SPARE_DAYS + 1)
    parts = [
        pd.DataFrame({"age_days": every, "month": month, "share": np.interp(every, ages, until(days) / whole)})
        for month, days in months
    ]
    empty = pd.DataFrame({"age_days": every[:0], "month": [], "share": np.zeros(0)})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _months(as_of: dt.date, horizon_days: int) -> list[tuple[dt.date, int]]:
    """The first day of each month that ends within the horizon, and the days from as_of to its end."""
    found = []
    month = as_of.replace(day=1)
    while (days := (first_day(month, -1) - as_of).days) <= horizon_days:
        found.append((month, days))
        month = first_day(month, -1)
    return found
