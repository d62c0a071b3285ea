"""Bands are merged before a group is hidden, and every number is rounded by its people; keys are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_helpers.charts import Widget
from clv_helpers.charts.bands import between, merged
from clv_helpers.charts.disclosure import too_small
from clv_helpers.charts.measures import with_rounded
from clv_helpers.config.workbook import ROOT, Workbook

MIN_CELL = 11
GRID = {
    "title": "t", "table": "a.b", "mark": "heatmap", "x": {"column": "often", "sort": "often_order"},
    "y": {"column": "last", "sort": "last_order"}, "color": {"column": "customers", "aggregate": "sum"},
}  # fmt: skip


def grid(counts: list[list[int]]) -> pd.DataFrame:
    rows = [
        {"often": f"{i}", "often_order": i, "last": f"{j} days", "last_order": j, "customers": count}
        for i, line in enumerate(counts) for j, count in enumerate(line) if count
    ]  # fmt: skip
    return pd.DataFrame(rows)


@given(st.lists(st.lists(st.integers(0, 60), min_size=4, max_size=4), min_size=2, max_size=5))
def test_merging_loses_nobody_and_leaves_no_small_cell(counts: list[list[int]]) -> None:
    rows = grid(counts)
    if rows.empty:
        return
    widget = Widget.model_validate(GRID)
    shown = merged(rows, widget, MIN_CELL)
    assert shown["customers"].sum() == rows["customers"].sum()
    assert shown["customers"].min() >= min(MIN_CELL, rows["customers"].sum())
    assert not shown.duplicated(["often", "last"]).any()


def test_a_grid_with_one_small_corner_keeps_most_of_its_cells() -> None:
    shown = merged(grid([[40, 40, 40], [40, 40, 40], [40, 40, 3]]), Widget.model_validate(GRID), MIN_CELL)
    assert len(shown) == 6


@pytest.mark.parametrize("changes", [
    {"color": {"column": "customers", "aggregate": "avg"}, "people": "sent"},
    {"title": "{unknown} of them"},
    {"x": "often", "y": "last"},
])  # fmt: skip
def test_what_does_not_add_up_or_has_no_order_is_not_merged(changes: dict) -> None:
    rows = grid([[40, 3], [40, 40]]).assign(sent=50)
    assert merged(rows, Widget.model_validate(GRID | changes), MIN_CELL) is None


@pytest.mark.parametrize(("first", "last", "says"), [
    ("2–3", "4–6", "2–6"), ("200-300", "300-400", "200–400"), ("0", "1", "0–1"), ("4–6", "13+", "4+"),
    ("31–90 days", "181–365 days", "31–365 days"), ("181–365 days", "over a year", "181–365 days to over a year"),
    ("1", "1", "1"),
])  # fmt: skip
def test_bands_are_named_by_where_they_begin_and_end(first: str, last: str, says: str) -> None:
    assert between(first, last) == says


def test_numbers_are_rounded_by_their_people_and_keys_are_not() -> None:
    workbook = Workbook.open(ROOT / "params" / "airline.yml")
    widget = Widget.model_validate({"title": "t", "table": "insights.fact_value_by_decile", "mark": "bar",
                                    "x": "decile", "y": "value"})  # fmt: skip
    rows = pd.DataFrame({
        "decile": [1, 2], "category": ["ALL", "ALL"], "lookback_months": [12, 12], "lookback_order": [4, 4],
        "customers": [187, 1868], "value": [834_820.56, 8_348_208.56], "value_per_customer": [4464.28, np.nan],
    })  # fmt: skip
    shown = with_rounded(rows, widget, workbook)
    assert shown["decile"].tolist() == [1, 2]
    assert shown["lookback_months"].tolist() == [12, 12]
    assert shown["lookback_order"].tolist() == [4, 4]
    assert shown["customers"].tolist() == [185, 1870]
    assert shown["value"].tolist() == [840_000, 8_340_000] or shown["value"].iloc[0] % 10_000 == 0
    assert shown["value_per_customer"].iloc[0] == 4500
    assert np.isnan(shown["value_per_customer"].iloc[1])


def test_the_ends_of_a_waterfalls_bars_are_counts() -> None:
    workbook = Workbook.open(ROOT / "params" / "airline.yml")
    widget = Widget.model_validate({"title": "t", "table": "activation.fact_waterfall", "mark": "bar", "x": "high",
                                    "x2": "low", "y": "step"})  # fmt: skip
    rows = pd.DataFrame({"step": ["a", "b"], "customers": [1868, 12], "low": [0, 1856], "high": [1868, 1868]})
    shown = with_rounded(rows, widget, workbook)
    assert shown["high"].tolist() == [1870, 1870]
    assert shown["low"].tolist() == [0, 1855]


def test_a_share_of_which_few_are_a_part_or_not_is_small() -> None:
    widget = Widget.model_validate({"title": "t", "table": "a.b", "mark": "bar", "x": "open_rate", "y": "campaign"})
    rows = pd.DataFrame({"campaign": ["a", "b", "c", "d"], "accepted": 584, "opened": [4, 146, 580, 0]})
    rows = rows.assign(open_rate=rows["opened"] / rows["accepted"])
    assert too_small(rows, widget, MIN_CELL).tolist() == [True, False, True, False]
