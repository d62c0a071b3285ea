"""A year at each week's end, against a plain count of the days in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from source_files import shop_of_orders

from clv_helpers import insights
from clv_helpers.charts.show import METRICS_MIME

AS_OF = pd.Timestamp("2025-07-10")
PARAMS = """
title: Shop
as_of: 2025-07-10
min_cell: 2
sources:
  purchases: {path: orders.csv, columns: {customer_id: customer, occurred_at: at, amount: amount}}
"""


def orders(days: int, seed: int = 1) -> pd.DataFrame:
    """Purchases of 40 customers, some of whom come once and some after more than a year."""
    rng = np.random.default_rng(seed)
    back = rng.integers(1, days, 260)
    days_of = AS_OF - pd.to_timedelta(back, unit="D")
    return pd.DataFrame(
        {"customer": rng.integers(0, 40, 260), "at": days_of.strftime("%Y-%m-%d"), "amount": rng.integers(1, 50, 260)}
    )


def test_each_week_tells_its_year(tmp_path: Path, outputs: Path) -> None:
    bought = pd.concat(
        [orders(900), pd.DataFrame({"customer": [99], "at": ["2023-01-20"], "amount": [7]})], ignore_index=True
    )
    told = shop_of_orders(tmp_path, PARAMS, bought).query("insights.fact_year_by_week", order_by="weeks_back")
    at = pd.to_datetime(bought["at"])
    first = at.groupby(bought["customer"]).min()
    assert list(told["weeks_back"]) == list(range((AS_OF - at.min()).days // 7 - 51))
    for row in told.itertuples():
        end = AS_OF - pd.Timedelta(weeks=row.weeks_back)
        within = (at < end) & (at >= end - pd.Timedelta(weeks=52))
        assert pd.Timestamp(row.week_end) == end - pd.Timedelta(days=1)
        assert float(row.spend) == bought.loc[within, "amount"].sum()
        assert row.customers == bought.loc[within, "customer"].nunique()
        assert row.new_customers == ((first < end) & (first >= end - pd.Timedelta(weeks=52))).sum()


def test_a_figure_without_a_year_before_it_has_no_change(tmp_path: Path, outputs: Path) -> None:
    cards = insights.year(shop_of_orders(tmp_path, PARAMS, orders(500))).bundle[METRICS_MIME]
    assert [card["topic"] for card in cards] == ["spend_52_weeks", "customers_52_weeks", "new_customers_52_weeks"]
    assert all(card["change"] == "" for card in cards)
    assert cards[0]["weekly"][-1] == cards[0]["number"]


def test_less_than_a_year_is_told_as_such(tmp_path: Path, outputs: Path) -> None:
    shown = insights.year(shop_of_orders(tmp_path, PARAMS, orders(200)))
    assert shown.bundle["text/plain"] == "The data reach back less than a year, so no year is told."
