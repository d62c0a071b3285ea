"""What each running contract may expect: renewals that fall due, each with the probability that it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.lifetime.contract_tables import Period
from clv_helpers.lifetime.counts import DAYS_PER_MONTH, Array
from clv_helpers.lifetime.intervals import HIGH, LOW
from clv_helpers.lifetime.shifted_beta_geometric import residual_renewals, retention

if TYPE_CHECKING:
    import pandas as pd

DAYS_PER_YEAR = 365.25
NOT_RUNNING = -1  # stands for the renewals, and the days since, of a customer whose contract has ended


@dataclass(frozen=True)
class Ahead:
    """The renewals within a horizon, a row per state of a running contract, a column per renewal to come.

    due: in how many days it falls due (0: it is overdue); chance: that the contract is renewed up to and with it.
    """

    due: Array
    chance: Array

    def within(self, days: float) -> Array:
        """Expected renewals in the next days."""
        return np.where(self.due <= days, self.chance, 0.0).sum(axis=1)


def ahead(retained: Array, running: pd.DataFrame, period: Period, days: float, later: Array) -> Ahead:
    """The renewals of the next days, from the retention after 0, 1, 2 … renewals.

    `later`: of renewals, the share that comes later than these contracts' days since payment: the longer one is
    overdue, the less likely is its renewal.
    """
    made, since = running["renewals"].to_numpy(int), running["days_since"].to_numpy(float)
    numbers = np.arange(1, int((days + period.longest_gap) / period.days) + 2)
    first = retained[made] * later
    chances = np.empty((len(made), len(numbers)))
    chances[:, 0] = first / np.maximum(first + 1 - retained[made], 1e-300)
    for number in range(1, len(numbers)):
        chances[:, number] = chances[:, number - 1] * retained[made + number]
    due = np.maximum(np.round(numbers * period.days - since[:, None]), 0.0)
    return Ahead(due, np.where(due <= days, chances, 0.0))


def retention_by_age(theta: Array, running: pd.DataFrame, period: Period, days: float) -> Array:
    """Retention after 0, 1, 2 … renewals, as far as contracts may come within these days."""
    most = int(running["renewals"].max()) if len(running) else 0
    return retention(theta, np.arange(most + int((days + period.longest_gap) / period.days) + 3.0))


def score(
    theta: Array, running: pd.DataFrame, period: Period, *, later: Array, days: int, annual_discount_rate: float
) -> pd.DataFrame:
    """What each running contract may expect within so many days, and for good.

    One row: renewals made and days since payment, with probability_alive (certain as long as the period that was paid
    lasts), expected_purchases, probability_purchase, discounted_purchases (each from the day it falls due), and
    residual_purchases: the discounted renewals for good (NaN where they are infinite). The bounds are those of
    intervals.with_intervals; what a renewal brings is known.
    """
    discount = (1 + annual_discount_rate) ** (-1 / DAYS_PER_YEAR)
    coming = ahead(retention_by_age(theta, running, period, days), running, period, days, later)
    never = ahead(retention_by_age(theta, running, period, period.days * 2), running, period, period.days * 2, later)
    made, first = running["renewals"].to_numpy(int), never.chance[:, 0]
    onward = residual_renewals(theta, int(made.max()) + 1, discount**period.days)[made + 1]
    bounds = _bounds(coming.chance, discount**coming.due)
    return running[["renewals", "days_since"]].assign(
        **bounds,
        probability_alive=np.where(running["days_since"] <= period.days, 1.0, first),
        expected_purchases=coming.within(days),
        probability_purchase=coming.chance[:, 0],
        discounted_purchases=(coming.chance * discount**coming.due).sum(axis=1),
        residual_purchases=first * discount ** never.due[:, 0] * (1 + discount**period.days * onward),
    )


def _bounds(chance: Array, worth: Array) -> dict[str, Array]:
    """The 80 % interval of renewals, and of what they are worth, from the chance that so many or more come."""
    added = np.insert(np.cumsum(worth, axis=1), 0, 0.0, axis=1)
    low, high = ((chance > 1 - level).sum(axis=1) for level in (LOW, HIGH))
    rows = np.arange(len(chance))
    mean, square = (chance * worth).sum(axis=1), (chance * np.diff(added**2, axis=1)).sum(axis=1)
    return {
        "purchases_low": low.astype(np.int64),
        "purchases_high": high.astype(np.int64),
        "discounted_low": added[rows, low],
        "discounted_high": added[rows, high],
        "discounted_spread": np.sqrt(np.maximum(square - mean**2, 0.0)),
    }


def month_curve(theta: Array, running: pd.DataFrame, period: Period, *, later: Array, months: int) -> pd.DataFrame:
    """Expected renewals added up to the end of each month ahead, as the log of forecasts keeps them.

    One row: renewals made, days since payment and a month; one of NOT_RUNNING for who has no contract any more.
    """
    import pandas as pd

    days = months * DAYS_PER_MONTH
    coming = ahead(retention_by_age(theta, running, period, days), running, period, days, later)
    parts = [
        running[["renewals", "days_since"]].assign(month=month, purchases=coming.within(round(month * DAYS_PER_MONTH)))
        for month in range(1, months + 1)
    ]
    ended = pd.DataFrame({"month": np.arange(1, months + 1)}).assign(
        renewals=NOT_RUNNING, days_since=NOT_RUNNING, purchases=0.0
    )
    return pd.concat([*parts, ended], ignore_index=True)
