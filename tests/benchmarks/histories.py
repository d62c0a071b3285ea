"""Customers for the benchmark, as a Parquet file: CDNOW's cohorts, or as many simulated by its fit as wanted."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from clv_helpers.files import write_parquet

R, ALPHA, A, B = 0.243, 4.414, 0.793, 2.426  # CDNOW's BG/NBD; per week
P, Q, GAMMA = 6.25, 3.744, 15.44  # CDNOW's Gamma-Gamma
WEEKS, COHORT_DAYS = 39, 84


def from_csv(csv: Path, out: Path) -> None:
    """CDNOW up to 1997-09-30, a row per customer."""
    duckdb.sql(
        "COPY (WITH days AS (SELECT customer_id, date AS day, SUM(amount) AS spend FROM read_csv($1) "
        "WHERE date <= DATE '1997-09-30' GROUP BY customer_id, date) "
        "SELECT CAST(customer_id AS VARCHAR) AS customer_id, CAST(COUNT(*) - 1 AS INT) AS frequency, "
        "CAST(DATE_DIFF('day', MIN(day), MAX(day)) AS INT) AS recency_days, "
        "CAST(DATE_DIFF('day', MIN(day), DATE '1997-09-30') AS INT) AS age_days, "
        "SUM(spend) - MIN_BY(spend, day) AS repeat_spend, SUM(spend) AS spend "
        f"FROM days GROUP BY customer_id) TO '{out}' (FORMAT parquet)",
        params=[str(csv)],
    )


def simulated(customers: int, out: Path, seed: int = 1) -> None:
    """Customers by CDNOW's fit, seen by the day."""
    rng = np.random.default_rng(seed)
    age = WEEKS * 7 - rng.integers(0, COHORT_DAYS, customers)
    rate, drops = rng.gamma(R, 1 / ALPHA, customers) / 7, rng.beta(A, B, customers)
    x, last = np.zeros(customers, np.int32), np.zeros(customers)
    rows, moment = np.arange(customers), np.zeros(customers)
    while len(rows):
        moment = moment + rng.exponential(1, len(rows)) / rate[rows]
        there = moment < age[rows]
        rows, moment = rows[there], moment[there]
        x[rows] += np.floor(moment) > last[rows]
        last[rows] = np.floor(moment)
        goes_on = rng.random(len(rows)) >= drops[rows]
        rows, moment = rows[goes_on], moment[goes_on]
    nu = rng.gamma(Q, 1 / GAMMA, customers)
    repeat = np.where(x > 0, rng.gamma(np.maximum(P * x, 1e-9)) / nu, 0.0).round(2)
    customer_rows = pd.DataFrame(
        {
            "customer_id": np.char.add("C", np.arange(customers).astype("U8")),
            "frequency": x,
            "recency_days": last.astype(np.int32),
            "age_days": age.astype(np.int32),
            "repeat_spend": repeat,
            "spend": repeat + rng.gamma(P, 1 / nu).round(2),
        }
    )
    write_parquet(customer_rows, out)


if __name__ == "__main__":
    simulated(int(sys.argv[1]), Path(sys.argv[2]))
