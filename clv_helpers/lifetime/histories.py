"""The engine counts: customers with the same history, customers with nearly the same spend. Only counts come to Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import Histories, Spends

if TYPE_CHECKING:
    import pandas as pd

BIN = 0.002  # of the log of total spend


def read_groups(session: Session, source: str) -> pd.DataFrame:
    """One row: a history (frequency, recency_days, age_days) and its `customers`."""
    return session.frame(
        "SELECT frequency, recency_days, age_days, COUNT(*) AS customers FROM $source AS h "
        "GROUP BY frequency, recency_days, age_days ORDER BY frequency, recency_days, age_days",
        source=table(source),
    )


def read_holdout_groups(session: Session) -> pd.DataFrame:
    """The histories of the calibration, with the sum and the sum of squares of the purchases that came after it."""
    return session.frame(
        "SELECT frequency, recency_days, age_days, COUNT(*) AS customers, "
        "CAST(SUM(actual_purchases) AS DOUBLE) AS actual, "
        "CAST(SUM(actual_purchases * actual_purchases) AS DOUBLE) AS actual_squared "
        "FROM lifetime.customer_calibration "
        "GROUP BY frequency, recency_days, age_days ORDER BY frequency, recency_days, age_days"
    )


def as_histories(groups: pd.DataFrame) -> Histories:
    """The groups as the purchase models take them."""
    return Histories.from_days(
        *(groups[name].to_numpy() for name in ("frequency", "recency_days", "age_days", "customers"))
    )


def read_spends(session: Session, source: str) -> Spends:
    """The customers who came back and spent something, in bins of the log of what they spent on repeat days.

    Logs are added up as exact decimals: a sum of floats would depend on the order, and the fit's last digits on that.
    """
    rows = session.frame(
        "SELECT frequency, CAST(SUM(CAST(LN(repeat_spend) AS DECIMAL(18, 8))) AS DOUBLE) / COUNT(*) AS mean_log_total, "
        "COUNT(*) AS customers FROM $source AS h "
        "WHERE frequency > 0 AND repeat_spend > 0 "
        "GROUP BY frequency, FLOOR(LN(repeat_spend) / $bin) ORDER BY frequency, mean_log_total",
        source=table(source),
        bin=BIN,
    )
    return Spends(*(rows[name].to_numpy(np.float64) for name in ("frequency", "mean_log_total", "customers")))
