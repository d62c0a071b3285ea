"""Titles against their rows: what is said to stand out does, on rows drawn at random, and a filter is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clv_helpers.charts import Widget
from clv_helpers.charts.texts import texts
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import filters, spec

SENT = 800


def widget(title_from: object) -> Widget:
    return Widget.model_validate({
        "title": "{campaign} is opened best", "title_from": title_from, "interval": ["low", "high"],
        "otherwise": "Open rates from {least} to {most}", "table": "a.b", "mark": "bar",
        "x": {"column": "rate", "format": ".0%"}, "y": "campaign", "people": "sent", "tooltip": ["low", "high"],
    })  # fmt: skip


def rates(rng: np.random.Generator, truth: list[float]) -> pd.DataFrame:
    """Opens drawn by these rates, with their 95 % intervals (Wilson)."""
    rate = rng.binomial(SENT, truth) / SENT
    z = 3.8414588 / SENT
    half = np.sqrt(z * (rate * (1 - rate) + z / 4))
    low, high = ((rate + z / 2 + sign * half) / (1 + z) for sign in (-1, 1))
    return pd.DataFrame({"campaign": list("abcdefgh"), "sent": SENT, "rate": rate, "low": low, "high": high})


def test_the_best_of_equals_is_no_finding() -> None:
    rng = np.random.default_rng(3)
    titles = [texts(widget("top"), rates(rng, [0.2] * 8))[0] for _ in range(300)]
    assert sum("best" in title for title in titles) <= 3
    assert titles[0].startswith("Open rates from ")


def test_one_row_of_equals_differs_as_often_as_its_interval_says() -> None:
    rng = np.random.default_rng(4)
    titles = [texts(widget({"campaign": "a"}), rates(rng, [0.2] * 8))[0] for _ in range(400)]
    assert sum("best" in title for title in titles) <= 0.09 * len(titles)  # 5 in 100, and a little for the others' own


def test_what_is_better_is_said_and_of_the_right_one() -> None:
    rng = np.random.default_rng(5)
    titles = {texts(widget("top"), rates(rng, [0.2, 0.2, 0.4, *[0.2] * 5]))[0] for _ in range(50)}
    assert titles == {"C is opened best"}


@pytest.mark.parametrize("seed", range(40))
def test_every_title_agrees_with_its_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rates(rng, list(rng.uniform(0.1, 0.4, 8))).sample(rng.integers(1, 9), random_state=seed)
    title, _ = texts(widget("top"), rows)
    best = rows.nlargest(1, "rate").iloc[0]
    others = rows[rows["campaign"] != best["campaign"]]
    stands_out = len(others) > 0 and (others["high"] < best["low"]).all()
    assert title.startswith(best["campaign"].upper()) == stands_out
    assert texts(widget("top"), rows, is_whole=False)[0].startswith("Open rates from ")


def test_a_filter_is_told_and_so_is_one_that_does_not_narrow(airline: Workbook) -> None:
    board = spec.load(airline, "value")
    with airline.engine.read() as session:
        offers = [offer for offer in filters.offers(session, airline, board) if offer.column != "month"]
    begun = {offer.column: offer.choices[offer.first] for offer in offers}
    assert filters.said(offers, begun, ["lookback"]) == ""
    chosen = begun | {"lookback": "6 months", "category": "GOLD"}
    assert filters.said(offers, chosen, ["lookback"]) == "Look-back: 6 months; not narrowed by Status"
    assert filters.said(offers, chosen, ["lookback", "category"]) == "Look-back: 6 months; Status: GOLD"
