"""What the models are fitted on: purchase histories and spends, each with the number of customers who share it.

The engine counts, so a fit costs the number of distinct histories, not of customers. Times are in weeks.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from clv_helpers.engines.dialect import expression, table
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
DAYS_PER_WEEK = 7.0
DAYS_PER_MONTH = 365.25 / 12
KEY = ["frequency", "recency_days", "age_days"]
IN_CELL = [*KEY, "cell"]
# A CTE for whatever counts purchase days up to a day, $until. A day on which more was paid back than spent is none, as
# in lifetime.customer_calibration.
PURCHASE_DAY = """
    purchase_day AS (
        SELECT customer_id, day, SUM(spend) AS spend FROM derived.customer_day
        WHERE (purchases > 0 OR spend < 0) AND day <= $until
        GROUP BY customer_id, day
        HAVING SUM(spend) >= 0
    )
"""
GAPS = f"""
    WITH {PURCHASE_DAY},
    gap AS (
        SELECT DATE_DIFF('day', LAG(day) OVER (PARTITION BY customer_id ORDER BY day), day) AS days FROM purchase_day
    )
    SELECT COUNT(*) AS gaps, SUM(CAST(LN(days) AS DECIMAL(18, 8))) AS log_days FROM gap WHERE NOT days IS NULL
"""
LOG_BIN = 0.002  # of the log of total spend


@dataclass(frozen=True)
class Histories:
    """One element: a purchase history and its customers.

    frequency: repeat purchase days; recency: age in weeks at the last of them (0 without one); age: weeks since the
    first purchase (the T of the literature); customers: how many share it.
    """

    frequency: Array
    recency: Array
    age: Array
    customers: Array

    @classmethod
    def from_days(cls, frequency: Array, recency_days: Array, age_days: Array, customers: Array) -> Histories:
        """Histories from whole days."""
        columns = [np.asarray(values, dtype=float) for values in (frequency, recency_days, age_days, customers)]
        return cls(columns[0], columns[1] / DAYS_PER_WEEK, columns[2] / DAYS_PER_WEEK, columns[3])

    @cached_property
    def distinct(self) -> dict[str, tuple[Array, Index]]:
        """Of frequency, recency and age: the distinct values, and where each history's stands among them.

        They are few, and gamma functions and logarithms are evaluated on these alone.
        """
        return {name: np.unique(getattr(self, name), return_inverse=True) for name in ("frequency", "recency", "age")}

    @cached_property
    def total(self) -> float:
        """How many customers there are."""
        return float(self.customers.sum())

    @cached_property
    def repeaters(self) -> float:
        """How many customers came back."""
        return float(self.customers[self.frequency > 0].sum())


@dataclass(frozen=True)
class CellHistories(Histories):
    """Histories of customers in cells of covariates (see covariates)."""

    cell: Index

    @cached_property
    def by_cell(self) -> dict[int, Histories]:
        """The histories of each cell."""
        columns = self.frequency, self.recency, self.age, self.customers
        return {
            int(cell): Histories(*(values[self.cell == cell] for values in columns)) for cell in np.unique(self.cell)
        }


@dataclass(frozen=True)
class Spends:
    """One element: repeat purchase days, the log of what was spent on them in all, and the customers in that bin.

    `mean_log_total` is the mean of the logs in a bin of 0.2 %, which moves a log-likelihood by less than 1e-6 of it.
    """

    frequency: Array
    mean_log_total: Array
    customers: Array

    @cached_property
    def total(self) -> float:
        """How many customers there are."""
        return float(self.customers.sum())


def read_groups(session: Session, source: str) -> pd.DataFrame:
    """One row: a history (frequency, recency_days, age_days) in a cell of covariates, and its `customers`."""
    return session.frame(
        "SELECT frequency, recency_days, age_days, cell, COUNT(*) AS customers FROM $source AS h "
        "GROUP BY frequency, recency_days, age_days, cell ORDER BY frequency, recency_days, age_days, cell",
        source=table(source),
    )


def log_gaps(session: Session, until: dt.date) -> float:
    """The sum of the logs of the weeks between two purchase days of a customer, up to a day. Cost: a sort of the days.

    Logs are added up as exact decimals, so that the order of rows changes no digit.
    """
    found = session.rows(GAPS, until=until)[0]
    return float(found["log_days"] or 0) - found["gaps"] * math.log(DAYS_PER_WEEK)


def as_histories(groups: pd.DataFrame) -> Histories:
    """The groups as the purchase models take them, with their cells where there are several."""
    histories = Histories.from_days(*(groups[name].to_numpy(float) for name in (*KEY, "customers")))
    cells = groups["cell"].to_numpy(np.intp) if "cell" in groups else np.zeros(0, np.intp)
    if not cells.any():
        return histories
    return CellHistories(histories.frequency, histories.recency, histories.age, histories.customers, cells)


def spend_columns(of_first: bool) -> tuple[exp.Expr, exp.Expr]:
    """What a customer spent, and on how many days: on all where the first counts, else on repeat days."""
    total, x = ("spend", "(frequency + 1)") if of_first else ("repeat_spend", "frequency")
    return expression(total), expression(x)


def read_spends(session: Session, source: str, of_first: bool = False) -> Spends:
    """The customers who spent something on repeat days (with `of_first`: on any), in bins of the log of their total.

    Logs are added up as exact decimals: a sum of floats would depend on the order, and the fit's last digits on that.
    """
    total, x = spend_columns(of_first)
    rows = session.frame(
        "SELECT $x AS frequency, CAST(SUM(CAST(LN($total) AS DECIMAL(18, 8))) AS DOUBLE) / COUNT(*) AS mean_log_total, "
        "COUNT(*) AS customers FROM $source AS h "
        "WHERE $x > 0 AND $total > 0 "
        "GROUP BY $x, FLOOR(LN($total) / $bin) ORDER BY frequency, mean_log_total",
        source=table(source),
        total=total,
        x=x,
        bin=LOG_BIN,
    )
    return Spends(*(rows[name].to_numpy(np.float64) for name in ("frequency", "mean_log_total", "customers")))
