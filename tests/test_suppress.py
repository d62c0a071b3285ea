"""Small groups cannot be worked out from what is left: attacked with every margin known, by linear programming."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from clv_helpers import charts
from clv_helpers.charts import Widget
from clv_helpers.charts.categories import categories, in_order
from clv_helpers.charts.cube import judged
from clv_helpers.charts.disclosure import complete, too_small
from clv_helpers.charts.show import table
from clv_helpers.config.workbook import Workbook

MIN_CELL = 11
COUNTS = st.one_of(st.integers(0, 12), st.integers(0, 400))


def suppressed(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.DataFrame:
    return rows[~too_small(rows, widget, min_cell) & ~judged(rows, widget, min_cell).hides(rows, {})]


def attacked(values: dict, hidden: set, aim: tuple, unit: float = 5) -> tuple[float, float]:
    """The least and most of a hidden cell, for who knows each cell that is left and each sum along a line.

    All of them rounded to `unit`, as they are shown.
    """
    cells = list(values)
    known = [(np.eye(len(cells))[i], values[cell]) for i, cell in enumerate(cells) if cell not in hidden]
    for axis in range(len(cells[0])):
        lines: dict = {}
        for index, cell in enumerate(cells):
            lines.setdefault(cell[:axis] + cell[axis + 1 :], []).append(index)
        for members in lines.values():
            known.append((np.isin(np.arange(len(cells)), members) * 1.0, sum(values[cells[i]] for i in members)))
    matrix = np.vstack([row for row, _ in known])
    told = np.array([unit * round(number / unit) if unit else number for _, number in known])
    limits = {"A_ub": np.vstack([matrix, -matrix]), "b_ub": np.concatenate([told + unit / 2, unit / 2 - told])}
    goal = np.eye(len(cells))[cells.index(aim)]
    return linprog(goal, **limits).fun, -linprog(-goal, **limits).fun


def check(values: dict, unit: float = 5) -> set:
    """No small group can be told nearer than ± 20 %; where everything is hidden, nothing less would do."""
    small = {cell for cell, value in values.items() if 0 < value < MIN_CELL}
    hidden = complete(small, values, MIN_CELL)
    assert small <= hidden
    for cell in small if any(values[cell] for cell in values.keys() - hidden) else ():
        low, high = attacked(values, hidden, cell, unit)
        assert high - low >= 0.4 * values[cell]
    return hidden


@given(st.lists(COUNTS, min_size=1, max_size=12))
def test_a_list_whose_total_is_known_exactly(counts: list[int]) -> None:
    values = {(str(i),): float(count) for i, count in enumerate(counts)}
    hidden = check(values, unit=0)
    if hidden and any(values[cell] for cell in values.keys() - hidden):
        assert sum(values[cell] for cell in hidden) >= MIN_CELL


@given(st.integers(2, 5), st.integers(2, 5), st.data())
def test_a_table_whose_margins_are_known(across: int, down: int, data: st.DataObject) -> None:
    check({(i, str(j)): float(data.draw(COUNTS)) for i in range(across) for j in range(down)})


@given(st.integers(2, 4), st.integers(2, 4), st.integers(2, 3), st.data())
def test_a_cube_whose_margins_are_known(a: int, b: int, c: int, data: st.DataObject) -> None:
    check({place: float(data.draw(COUNTS)) for place in itertools.product(range(a), range(b), range(c))})


@given(st.integers(2, 6), st.integers(2, 6), st.data())
def test_on_each_line_two_are_hidden_or_all(across: int, down: int, data: st.DataObject) -> None:
    values = {(i, j): float(data.draw(COUNTS)) for i in range(across) for j in range(down)}
    hidden = check(values)
    for axis, place in [(0, i) for i in range(across)] + [(1, j) for j in range(down)]:
        line = [cell for cell in values if cell[axis] == place and values[cell]]
        out = [cell for cell in line if cell in hidden]
        assert not out or set(out) == set(line) or (len(out) > 1 and sum(values[c] for c in out) >= MIN_CELL)


def test_a_single_small_cell_is_not_the_total_less_the_rest() -> None:
    values = {("a",): 5.0, ("b",): 30.0, ("c",): 200.0}
    assert complete({("a",)}, values, MIN_CELL) == {("a",), ("b",)}


def test_two_small_cells_whose_sum_is_small_need_a_third() -> None:
    values = {("a",): 2.0, ("b",): 3.0, ("c",): 200.0, ("d",): 90.0}
    assert complete({("a",), ("b",)}, values, MIN_CELL) == {("a",), ("b",), ("d",)}


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    assert check({(i, j): 50.0 for i in range(3) for j in range(3)}) == set()


def test_a_total_among_the_rows_is_no_part_of_itself() -> None:
    rows = pd.DataFrame({"category": ["ALL", "GOLD", "SILVER", "FLYER"], "customers": [500, 4, 46, 450]})
    widget = Widget.model_validate({"title": "t", "table": "a.b", "mark": "bar", "x": "category", "y": "customers"})
    assert list(suppressed(rows, widget, MIN_CELL)["category"]) == ["ALL", "FLYER"]


def test_no_chart_of_a_small_airline_shows_a_small_group(airline: Workbook) -> None:
    grid = {
        "title": "t", "mark": "heatmap", "table": "insights.fact_recency_frequency",
        "x": "frequency_band", "y": "recency_band", "color": "customers",
    }  # fmt: skip
    shown = charts.draw(airline, Widget.model_validate(grid)).bundle[charts.CHART_MIME]
    everything = airline.query("insights.fact_recency_frequency")
    left = next(iter(shown["datasets"].values()))
    assert (everything["customers"] < MIN_CELL).any()
    assert left
    assert min(row["customers"] for row in left) >= 10  # eleven, to the nearest five
    assert "groups of fewer than 11 people are left out" in shown["title"]["subtitle"]


def test_a_sum_over_small_groups_is_judged_by_its_people(airline: Workbook) -> None:
    by_status = {
        "title": "t", "mark": "bar", "table": "insights.fact_decile_profile",
        "x": {"column": "spend", "aggregate": "sum"}, "y": "region", "filters": {"decile": 1},
    }  # fmt: skip
    with airline.engine.read() as session:
        rows = charts.picture(session, airline, Widget.model_validate(by_status)).rows
    profile = airline.query("insights.fact_decile_profile", decile=1).groupby("region")["customers"].sum()
    assert set(rows["region"]) <= set(profile[profile >= MIN_CELL].index)


@pytest.mark.parametrize(("customers", "shown"), [([5, 40, 300], 1), ([50, 40, 300], 3)])
def test_a_table_of_the_report(customers: list[int], shown: int) -> None:
    rows = pd.DataFrame({"status": ["a", "b", "c"], "customers": customers, "spend": [1.5, 2.5, 3.5]})
    columns = {"status": "Status", "customers": "Customers|,.0f", "spend": "Spend|,.1f"}
    page = table(rows, columns, people="customers", min_cell=MIN_CELL).bundle["text/html"]
    assert sum(f">{value:,.0f}<" in page for value in customers) == shown
    assert page.count(">–<") + page.count(">&lt;11<") == 2 * (3 - shown)


def migration(deciles: int = 10) -> dict:
    """Who moved from decile to decile: many stay, a few go far."""
    far = {0: 1000.0, 1: 200.0, 2: 90.0, 3: 40.0, 4: 25.0, 5: 18.0, 6: 14.0, 7: 9.0, 8: 5.0, 9: 2.0}
    return {(str(i), str(j)): far[abs(i - j)] + (i * j) % 3 for i in range(deciles) for j in range(deciles)}


def test_beside_small_cells_only_small_ones_go() -> None:
    values = migration()
    hidden = check(values)
    small = {cell for cell, value in values.items() if value < MIN_CELL}
    assert max(values[cell] for cell in hidden) < 30
    assert len(hidden) <= 2 * len(small)


def test_little_of_the_airlines_migration_is_left_out(airline: Workbook) -> None:
    rows = airline.query("insights.fact_decile_movement", lookback="lifetime")
    cells = zip(rows["before"], rows["now"], rows["customers"], strict=True)
    values = {
        (before, now): 5.0 * customers for before, now, customers in cells
    }  # as of an airline five times its size
    small = {cell for cell, value in values.items() if value < MIN_CELL}
    hidden = check(values)
    assert small
    assert sum(values[cell] for cell in hidden) < sum(values.values()) / 7
    assert max(values.values()) not in {values[cell] for cell in hidden}


def test_a_table_of_two_thousand_cells_takes_no_second() -> None:
    people = np.random.default_rng(1).exponential(18, 2000).astype(int)
    places = itertools.product(range(50), range(40))
    values = {place: float(count) for place, count in zip(places, people, strict=True)}
    small = {place for place, count in values.items() if 0 < count < MIN_CELL}
    began = time.process_time()
    hidden = complete(small, values, MIN_CELL)
    assert time.process_time() - began < 1
    assert len(small) > 700
    assert small <= hidden
    assert len(hidden) < 1.2 * len(small)


def test_an_axis_keeps_the_categories_that_lost_their_rows() -> None:
    read = pd.DataFrame(
        {"band": ["a", "b", "c"], "place": [3, 1, 2], "customers": [5, 30, 200], "spend": [1.0, 9.0, 5.0]}
    )
    chart = {"title": "t", "table": "a.b", "mark": "bar", "x": {"column": "band", "sort": "place"}, "y": "customers"}
    widget = Widget.model_validate(chart)
    rows = suppressed(read, widget, MIN_CELL)
    assert list(rows["band"]) == ["c"]
    found = charts.Picture(widget, "t", "", rows, categories(widget, read, rows)).spec
    assert found["encoding"]["x"]["scale"]["domain"] == ["b", "c", "a"]


def test_what_is_left_out_stands_last_where_its_place_would_tell_its_value() -> None:
    read = pd.DataFrame({"band": ["a", "b", "c"], "customers": [5, 30, 200], "spend": [9.0, 7.0, 5.0]})
    chart = {"title": "t", "table": "a.b", "mark": "bar", "x": "spend", "y": {"column": "band", "sort": "-spend"}}
    widget = Widget.model_validate(chart)
    orders = categories(widget, read, suppressed(read, widget, MIN_CELL))["band"]
    assert in_order(widget.y, orders) == ["c", "a", "b"]


def test_audiences_overlap_so_only_the_small_ones_go() -> None:
    rows = pd.DataFrame({"audience": ["a", "b", "c"], "title": ["A", "B", "C"], "customers": [5, 62, 113]})
    widget = Widget.model_validate({"title": "t", "table": "a.b", "mark": "bar", "x": "customers", "y": "title"})
    assert list(suppressed(rows, widget, MIN_CELL)["title"]) == ["B", "C"]
    columns, each = {"title": "Audience", "customers": "Customers|,.0f"}, {"customers": "customers"}
    page = table(rows, columns, people=each, min_cell=MIN_CELL).bundle["text/html"]
    assert ">60<" in page  # 62, to the nearest five
    assert ">115<" in page
    assert ">5<" not in page


def test_what_nobody_counted_is_not_few() -> None:
    """A campaign of which no message was accepted has no rate, and hides nothing of the others."""
    rows = pd.DataFrame({
        "campaign": ["a", "b", "c"], "rate": [0.1, 0.2, None],
        "numerator": pd.array([50, 2, None], dtype="Int64"), "denominator": pd.array([500, 10, None], dtype="Int64"),
    })  # fmt: skip
    shown = Widget(title="Rates", table="x.y", mark="bar", x="campaign", y="rate")
    assert too_small(rows, shown, MIN_CELL).tolist() == [False, True, False]
