"""How often the 80 % intervals held: of totals and of customers, over tasks and cut-offs whose outcome is known.

Give the folder of the data sets: python tests/benchmarks/intervals.py FOLDER
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from clv_helpers.lifetime.counts import Histories, Spends
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.intervals import with_intervals
from clv_helpers.lifetime.intervals_of_totals import bounds, level_spread
from clv_helpers.lifetime.origins import windows
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.scoring import expected_purchases

MODEL = "mbg_cnbd_k"
HORIZONS = (91, 182, 364)
BETWEEN = 45  # days from one cut-off to the next
TASKS = {
    "cdnow": "SELECT customer_id, date AS day, SUM(amount) AS spend FROM read_csv('{}/cdnow_master.csv') GROUP BY 1, 2",
    "grocery": "SELECT customer_id, date AS day, SUM(amount) AS spend FROM read_csv('{}/grocery.csv') GROUP BY 1, 2",
    "invoices": (
        'SELECT "Customer ID" AS customer_id, CAST(InvoiceDate AS DATE) AS day, SUM(Quantity * Price) AS spend '
        "FROM '{}/online_retail_2009_2010.parquet' WHERE \"Customer ID\" IS NOT NULL AND Quantity > 0 GROUP BY 1, 2"
    ),
}


@cache
def days_of(folder: str, task: str) -> pd.DataFrame:
    """One row: a customer's purchase day."""
    return duckdb.sql(TASKS[task].format(folder)).df().sort_values(["customer_id", "day"], ignore_index=True)


@cache
def known(folder: str, task: str, cut_off: dt.date) -> tuple[pd.DataFrame, Fit, Fit, Any]:
    """One row: a customer's history on a day; with the fits of that day, and the expected spend of each."""
    days, end = days_of(folder, task), pd.Timestamp(cut_off)
    days = days[days["day"] <= end]
    by = days.groupby("customer_id").agg(
        first=("day", "min"), last=("day", "max"), n=("day", "size"), spend=("spend", "sum"), once=("spend", "first")
    )
    x, repeat = by["n"].to_numpy() - 1, (by["spend"] - by["once"]).to_numpy()
    columns = {
        "frequency": x,
        "recency_days": (by["last"] - by["first"]).dt.days,
        "age_days": (end - by["first"]).dt.days,
    }
    rows, ones = pd.DataFrame(columns, index=by.index), np.ones(len(by))
    gaps = days.groupby("customer_id")["day"].diff().dt.days.dropna()
    histories = Histories.from_days(*(rows[name].to_numpy(float) for name in rows), ones)
    fitted = fit(MODEL, histories, float(np.log(gaps / 7).sum()))
    buys = (x > 0) & (repeat > 0)
    spent = fit("gamma_gamma", Spends(x[buys].astype(float), np.log(repeat[buys]), ones[buys]))
    p, q, gamma = spent.theta
    return rows, fitted, spent, p * (gamma + repeat) / (p * x + q - 1)


def came(folder: str, task: str, cut_off: dt.date, horizon: int) -> pd.DataFrame:
    """One row: a customer known on a day, with purchases and spend of the days after it."""
    days, end = days_of(folder, task), pd.Timestamp(cut_off)
    later = days[(days["day"] > end) & (days["day"] <= end + pd.Timedelta(days=horizon))]
    by = later.groupby("customer_id").agg(purchases=("day", "size"), spend=("spend", "sum"))
    return by.reindex(known(folder, task, cut_off)[0].index, fill_value=0)


@cache
def errors(folder: str, task: str, cut_off: dt.date, horizon: int) -> dict[str, float]:
    """How far the totals were off, as the log of forecast over actual."""
    rows, fitted, _, mean = known(folder, task, cut_off)
    expected, actual = expected_purchases(fitted, rows, horizon), came(folder, task, cut_off, horizon)
    return {
        "purchases": math.log(expected.sum() / actual["purchases"].sum()),
        "spend": math.log((expected * mean).sum() / actual["spend"].sum()),
    }


def held_by_customers(folder: str, task: str, cut_off: dt.date, horizon: int) -> dict[str, float]:
    """The shares of customers whose purchases and spend came to lie within their intervals."""
    rows, fitted, spent, mean = known(folder, task, cut_off)
    expected, actual = expected_purchases(fitted, rows, horizon), came(folder, task, cut_off, horizon)
    scored = rows.assign(expected_purchases=expected, discounted_purchases=expected)
    told = with_intervals(scored, fitted, spent, horizon)
    bounds_of = {
        "purchases": (told["purchases_low"], told["purchases_high"]),
        "spend": (told["discounted_low"] * mean, told["discounted_high"] * mean),
    }
    return {name: float(actual[name].between(low, high).mean()) for name, (low, high) in bounds_of.items()}


def pairs(folder: str, task: str, horizon: int) -> list[dict[str, Any]]:
    """One row: a cut-off with a past, whether the totals' intervals held, and of how many customers theirs did."""
    days = days_of(folder, task)["day"]
    first, last = days.min().date(), days.max().date()
    found, cut_off = [], last - dt.timedelta(days=horizon)
    while (window := windows(first, cut_off, horizon))[1]:
        now, held = errors(folder, task, cut_off, horizon), held_by_customers(folder, task, cut_off, horizon)
        past, grows = [errors(folder, task, day, window[0]) for day in window[1]], math.sqrt(horizon / window[0])
        row: dict[str, Any] = {"task": task, "days": horizon, "cut_off": cut_off, "past": len(past)}
        for measure in ("purchases", "spend"):
            low, high = bounds(1.0, level_spread([origin[measure] * grows for origin in past]))
            row[measure] = float(low <= math.exp(-now[measure]) <= high)
            row[f"error_{measure}"] = now[measure]
            row[f"customers_{measure}"] = held[measure]
        found.append(row)
        cut_off -= dt.timedelta(days=BETWEEN)
    return found


def main(folder: Path) -> None:
    """Print, by task and days ahead, the share of cut-offs and of customers whose intervals held."""
    found = []
    for task in TASKS:
        for days in HORIZONS:
            found += pairs(str(folder), task, days)
            print(f"{task}, {days} days: {len(found)} pairs so far", flush=True)
    rows = pd.DataFrame(found)
    measured = ["purchases", "spend", "customers_purchases", "customers_spend", "error_purchases", "error_spend"]
    table = rows.groupby(["task", "days"])[measured].mean()
    table.insert(0, "pairs", rows.groupby(["task", "days"]).size())
    print(table.round(3).to_string())
    print(len(rows), "pairs:", rows[measured[:4]].mean().round(3).to_dict())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
