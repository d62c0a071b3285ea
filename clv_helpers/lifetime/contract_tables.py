"""The contracts of customers, from the days on which they paid: the tables and counts that a prediction is made of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session, bound
from clv_helpers.lifetime.counts import DAYS_PER_MONTH, PURCHASE_DAY, Array
from clv_helpers.lifetime.shifted_beta_geometric import Contracts

if TYPE_CHECKING:
    import pandas as pd

CONTRACT, CALIBRATION = "lifetime.customer_contract", "lifetime.contract_calibration"


@dataclass(frozen=True)
class Period:
    """How long a contract runs until it is renewed, in days, and by how many days a payment may be early or late."""

    name: str
    noun: str
    days: float
    grace: int

    @property
    def longest_gap(self) -> int:
        """Days without a payment after which a contract has ended."""
        return int(self.days + self.grace)


PERIODS = {
    period.name: period
    for period in (
        Period("week", "weekly", 7.0, 2),
        Period("month", "monthly", DAYS_PER_MONTH, 10),
        Period("quarter", "quarterly", 365.25 / 4, 20),
        Period("year", "yearly", 365.25, 45),
    )
}
_PAYMENTS = f"""
    {PURCHASE_DAY},
    payment AS (
        SELECT customer_id, day, spend,
            DATE_DIFF('day', LAG(day) OVER (PARTITION BY customer_id ORDER BY day), day) AS days_between
        FROM purchase_day
    )
"""
_GAPS = f"""
    WITH {_PAYMENTS}
    SELECT days_between AS days, COUNT(*) AS gaps FROM payment
    WHERE NOT days_between IS NULL GROUP BY days_between ORDER BY days_between
"""
_CONTRACTS = f"""
    WITH {_PAYMENTS},
    numbered AS (
        SELECT *,
            SUM(CASE WHEN days_between <= $longest_gap THEN 0 ELSE 1 END)
                OVER (PARTITION BY customer_id ORDER BY day) AS contract
        FROM payment
    ),
    contract AS (
        SELECT customer_id, CAST(contract AS INT) AS contract, MIN(day) AS first_on, MAX(day) AS last_on,
            MAX_BY(days_between, day) AS last_gap, CAST(SUM(spend) AS DOUBLE) AS spend
        FROM numbered
        GROUP BY customer_id, contract
    ),
    measured AS (
        SELECT *,
            CAST(FLOOR(DATE_DIFF('day', first_on, last_on) / $days + 0.5) AS INT) AS renewals,
            CAST(DATE_DIFF('day', last_on, $until) AS INT) AS days_since,
            MAX(contract) OVER (PARTITION BY customer_id) AS last_contract
        FROM contract
    )
    SELECT customer_id, contract, first_on, last_on, renewals, days_since,
        CASE WHEN renewals > 0 AND days_since + last_gap <= $longest_gap THEN renewals - 1 ELSE renewals END AS decided,
        CASE WHEN contract = last_contract THEN 1 ELSE 0 END AS is_last,
        CASE WHEN days_since > $longest_gap THEN 1 ELSE 0 END AS is_lost,
        spend / (renewals + 1) AS spend_per_period
    FROM measured
"""
_COUNTS = """
    SELECT decided AS frequency, is_lost AS lost, COUNT(*) AS customers
    FROM $source AS c GROUP BY decided, is_lost ORDER BY decided, is_lost
"""
_RUNNING = """
    SELECT renewals, days_since, COUNT(*) AS customers
    FROM $source AS c WHERE is_last = 1 AND is_lost = 0 GROUP BY renewals, days_since ORDER BY renewals, days_since
"""
_LAST_RATE = """
    SELECT CAST(SUM(1 - is_lost) AS DOUBLE) / NULLIF(COUNT(*), 0) AS rate
    FROM $source AS c
    WHERE (is_lost = 0 AND decided > 0) OR (is_lost = 1 AND days_since <= $longest_gap + $days)
"""


def read_gaps(session: Session, until: dt.date) -> pd.DataFrame:
    """One row: a number of days between two payments of a customer, and how often it came up to a day.

    Cost: a sort of the days.
    """
    return session.frame(_GAPS, until=until)


def make_contracts(session: Session, name: str, period: Period, until: dt.date) -> None:
    """Make a table of contracts. One row: a contract of a customer, as known at the end of a day.

    A customer who pays again after more than a period and its grace begins another contract. renewals: periods that
    were paid after the first; decided: those of which it would be known by now that they had not been; before, who pays
    early is known, and who will not pay is not. spend_per_period: what was spent over the periods paid. Cost: a sort
    of the days.
    """
    known = {"until": until, "days": period.days, "grace": period.grace, "longest_gap": period.longest_gap}
    session.create_table(name, bound(_CONTRACTS, known))


def read_contracts(session: Session, source: str) -> Contracts:
    """The contracts as the model takes them: renewals that are decided, and whether the next was lost."""
    rows = session.frame(_COUNTS, source=table(source))
    return Contracts(*(rows[name].to_numpy(float) for name in ("frequency", "lost", "customers")))


def read_running(session: Session, source: str) -> pd.DataFrame:
    """One row: renewals made and days since the last payment, with the customers whose contract runs like that."""
    return session.frame(_RUNNING, source=table(source))


def last_rate(session: Session, source: str, period: Period) -> float:
    """Of the contracts that came to a renewal in the last period of which that is known: the share that was renewed."""
    known = {"longest_gap": period.longest_gap, "days": period.days}
    return float(session.scalar(_LAST_RATE, source=table(source), **known) or 0.0)


def shares_of_periods(gaps: pd.DataFrame) -> dict[str, float]:
    """Of the gaps between payments, the share that is each period long, give or take its grace."""
    total = max(float(gaps["gaps"].sum()), 1.0)
    return {
        name: float(gaps.loc[(gaps["days"] - period.days).abs() <= period.grace, "gaps"].sum()) / total
        for name, period in PERIODS.items()
    }


def share_later(gaps: pd.DataFrame, period: Period, days: Array) -> Array:
    """Of the renewals, the share that comes more than so many days after the payment before."""
    renewals = gaps[(gaps["days"] - period.days).abs() <= period.grace]
    total = float(renewals["gaps"].sum())
    if not total:
        return np.where(days <= period.days, 1.0, 0.0)
    so_far = np.append(0.0, renewals["gaps"].to_numpy(float).cumsum())
    return 1 - so_far[np.searchsorted(renewals["days"].to_numpy(float), days, side="right")] / total
