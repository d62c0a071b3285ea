"""What the benchmark's forecasts are judged on: three real shops, and three simulated ones whose truth is known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

DAYS_PER_MONTH = 365.25 / 12
REPLICATES = 60


@dataclass(frozen=True)
class Task:
    """Purchases of a shop, a row per customer and day (customer_id, day, spend); what follows `cut_off` is forecast.

    `truth` (of a simulation): purchases and spend to be expected of each customer by who knows its rate and whether it
    has left; no forecast can be nearer but by luck.
    """

    name: str
    says: str
    purchases: pd.DataFrame
    cut_off: pd.Timestamp
    months: int
    truth: pd.DataFrame | None = None

    @property
    def days(self) -> int:
        """How many days are forecast."""
        return round(self.months * DAYS_PER_MONTH)

    @property
    def known(self) -> pd.DataFrame:
        """What is known at the end of the cut-off."""
        return self.purchases[self.purchases["day"] <= self.cut_off]

    @property
    def outcome(self) -> pd.DataFrame:
        """Purchase days and net spend of each customer known, in the days after the cut-off."""
        first = self.known.loc[self.known["spend"] >= 0, "customer_id"].unique()
        until = self.cut_off + pd.Timedelta(days=self.days)
        later = self.purchases[(self.purchases["day"] > self.cut_off) & (self.purchases["day"] <= until)]
        days = later.assign(purchases=later["spend"] >= 0).groupby("customer_id")[["purchases", "spend"]].sum()
        return days.reindex(first, fill_value=0).astype(float)


def real_shops(folder: Path) -> list[Task]:
    """CDNOW's cohort, a grocery's visits, and the first year of a wholesaler's invoice lines."""
    cdnow = _by_day(f"SELECT customer_id, date AS day, amount AS spend FROM read_csv('{folder}/cdnow_master.csv')")
    grocery = _by_day(f"SELECT customer_id, date AS day, 1 AS spend FROM read_csv('{folder}/grocery.csv')")
    invoices = _by_day(
        f"""SELECT CAST("Customer ID" AS INT) AS customer_id, CAST("InvoiceDate" AS DATE) AS day,
        "Quantity" * "Price" AS spend FROM '{folder}/online_retail_2009_2010.parquet'
        WHERE NOT "Customer ID" IS NULL"""
    )
    return [
        Task("CDNOW", "a cohort's purchases of CDs, 9 months after its first 9", cdnow, _day("1997-09-29"), 9),
        Task("grocery", "visits, 12 months after the first 12", grocery, _day("2006-12-30"), 12),
        Task(
            "invoices", "a wholesaler's, 6 months after the first 6, up to Christmas", invoices, _day("2010-06-09"), 6
        ),
    ]


def simulated_shops(customers: int = 4_000) -> list[Task]:
    """A shop with a season, one whose customers buy ever more rarely, and one whose customers buy at even intervals."""
    return [
        _simulated("season", "Christmas brings three times the purchases; the last quarter is forecast", customers,
                   months=3, cut_off="2023-09-30", pace=_christmas),
        _simulated("trend", "all rates fall by 30 % a year; a year is forecast", customers,
                   months=12, cut_off="2023-12-31", pace=_falling),
        _simulated("regular", "gaps are Erlang-4; half a year is forecast", customers,
                   months=6, cut_off="2023-12-31", pace=_steady, even=4),
    ]  # fmt: skip


def folder() -> Path:
    """Where the data sets are."""
    return Path(os.environ["CLV_DATA_DIR"])


def _day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def _by_day(query: str) -> pd.DataFrame:
    rows = duckdb.sql(
        f"SELECT CAST(customer_id AS VARCHAR) AS customer_id, day, CAST(SUM(spend) AS DOUBLE) AS spend FROM ({query}) "
        "GROUP BY ALL ORDER BY ALL"
    ).df()
    return rows.assign(day=pd.to_datetime(rows["day"]), spend=rows["spend"].round(2))


def _steady(days: np.ndarray) -> np.ndarray:
    return np.ones(len(days))


def _christmas(days: np.ndarray) -> np.ndarray:
    months = (_day("2020-10-01") + pd.to_timedelta(days, unit="D")).month
    return np.where(np.isin(months, (11, 12)), 3.0, 1.0)


def _falling(days: np.ndarray) -> np.ndarray:
    return 0.7 ** (days / 365.25)


def _simulated(name: str, says: str, customers: int, *, months: int, cut_off: str, pace, even: int = 1) -> Task:
    """Rates Gamma, dropout Beta at each purchase, gaps Erlang in a time that runs as fast as `pace` says."""
    rng = np.random.default_rng(7)
    first, end = _day("2020-10-01"), _day(cut_off)
    known, days = (end - first).days, round(months * DAYS_PER_MONTH)
    clock = np.append(0.0, np.cumsum(pace(np.arange(known + days + 2))))  # time passed at each day's beginning
    begins = np.sort(rng.integers(0, known - 30, customers))
    rate, drops = rng.gamma(1.0, 1 / 40, customers), rng.beta(1.0, 8.0, customers)
    level = 4 * rng.gamma(4.0, 10.0, customers) / 3
    now, last = clock[known + 1], clock[begins]
    rows, there = [(np.arange(customers), begins)], rng.random(customers) >= drops
    left = np.where(there, np.inf, last)
    moment = last.copy()
    while there.any():
        moment = moment + np.where(there, rng.gamma(even, 1, customers) / (even * rate), np.inf)
        there &= moment < clock[-2]
        buyers = np.flatnonzero(there)
        rows.append((buyers, np.searchsorted(clock, moment[buyers], side="right") - 1))
        last = np.where(there & (moment < now), moment, last)
        stays = rng.random(customers) >= drops
        left = np.where(there & ~stays, moment, left)
        there &= stays
    who, when = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    spend = np.maximum(rng.gamma(6.0, level[who] / 6), 0.01).round(2)
    names, day = np.char.add("S", np.arange(customers).astype("U6")), first + pd.to_timedelta(when, "D")
    purchases = pd.DataFrame({"customer_id": names[who], "day": day, "spend": spend})
    purchases = purchases.groupby(["customer_id", "day"], as_index=False).sum()
    alive = left >= now
    ahead = _expected(rng, rate, drops, now - last, clock[known + 1 + days] - now, even) * alive
    truth = pd.DataFrame(
        {"purchases": ahead, "spend": ahead * level}, index=np.char.add("S", np.arange(customers).astype("U6"))
    )
    return Task(name, says, purchases, end, months, truth)


def _expected(rng, rate: np.ndarray, drops: np.ndarray, silent: np.ndarray, window: float, even: int) -> np.ndarray:
    """The mean purchases ahead of who is there, over replicates: the first gap is longer than the silence so far."""
    from scipy.stats import gamma

    total = np.zeros(len(rate))
    for _ in range(REPLICATES):
        passed = gamma.cdf(silent * even * rate, even)
        first = gamma.ppf(passed + (1 - passed) * rng.random(len(rate)), even) / (even * rate)
        moment, there = first - silent, np.ones(len(rate), bool)
        while (there := there & (moment < window)).any():
            total += there
            there = there & (rng.random(len(rate)) >= drops)
            moment = moment + rng.gamma(even, 1, len(rate)) / (even * rate)
    return total / REPLICATES
