"""Small groups cannot be worked out from what is left: attacked with every margin known, by linear programming."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from clv_helpers import charts
from clv_helpers.charts import Widget
from clv_helpers.charts.categories import categories, in_order
from clv_helpers.charts.disclosure import complete, suppressed
from clv_helpers.charts.show import table
from clv_helpers.config.workbook import Workbook

MIN_CELL = 11
COUNTS = st.one_of(st.integers(0, 12), st.integers(0, 400))


def attacked(values: dict, hidden: set) -> dict:
    """The least and most of every cell, for who knows the cells that are left, all margins and the total."""
    cells = list(values)
    equations, right = [], []
    for index, cell in enumerate(cells):
        if cell not in hidden:
            equations.append(np.eye(len(cells))[index])
            right.append(values[cell])
    size = len(cells[0])
    for open_axes in itertools.product([True, False], repeat=size):
        margins: dict = {}
        for index, cell in enumerate(cells):
            key = tuple(part for part, is_open in zip(cell, open_axes, strict=True) if not is_open)
            margins.setdefault(key, []).append(index)
        if any(open_axes):
            for customers in margins.values():
                equations.append(np.isin(np.arange(len(cells)), customers).astype(float))
                right.append(sum(values[cells[i]] for i in customers))
    found = {}
    for index, cell in enumerate(cells):
        if cell in hidden:
            aim = np.eye(len(cells))[index]
            low = linprog(aim, A_eq=equations, b_eq=right)
            high = linprog(-aim, A_eq=equations, b_eq=right)
            found[cell] = (low.fun, -high.fun)
    return found


def check(values: dict) -> set:
    small = {cell for cell, value in values.items() if 0 < value < MIN_CELL}
    hidden = complete(small, values, MIN_CELL)
    assert small <= hidden
    if hidden != set(values):  # where all is hidden, nothing less would do
        for cell, (low, high) in attacked(values, hidden).items():
            if cell in small:
                assert high >= MIN_CELL - 1e-6
                assert high - low >= 1 - 1e-6
    return hidden


@given(st.lists(COUNTS, min_size=1, max_size=12))
def test_a_list_whose_total_is_known(counts: list[int]) -> None:
    check({(str(i),): float(count) for i, count in enumerate(counts)})


@given(st.integers(2, 5), st.integers(2, 5), st.data())
def test_a_table_whose_margins_are_known(across: int, down: int, data: st.DataObject) -> None:
    check({(i, str(j)): float(data.draw(COUNTS)) for i in range(across) for j in range(down)})


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
    assert min(row["customers"] for row in left) >= MIN_CELL
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
    assert sum(values[cell] for cell in hidden) < sum(values.values()) / 10
    assert max(values.values()) not in {values[cell] for cell in hidden}


def test_a_table_of_two_thousand_cells_takes_twenty_linear_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    people = np.random.default_rng(1).exponential(18, 2000).astype(int)
    places = itertools.product(range(50), range(40))
    values = {place: float(count) for place, count in zip(places, people, strict=True)}
    small = {place for place, count in values.items() if 0 < count < MIN_CELL}
    programs: list = []
    monkeypatch.setattr(
        "scipy.optimize.linprog", lambda *given, **options: programs.append(1) or linprog(*given, **options)
    )
    hidden = complete(small, values, MIN_CELL)
    assert len(small) > 700
    assert len(programs) <= 20
    assert small <= hidden
    assert len(hidden) < 1.2 * len(small)
    for row, column in list(small)[:40]:  # each is a corner of a box in which people can move, so it is safe
        assert any(
            {(i, j), (row, j), (i, column)} <= hidden
            and min(values[row, j], values[i, column]) >= MIN_CELL - values[row, column]
            for i in range(50) if i != row
            for j in range(40) if j != column
        )  # fmt: skip


@given(st.integers(2, 4), st.integers(2, 4), st.integers(2, 3), st.data())
def test_beyond_the_linear_programs_boxes_protect(a: int, b: int, c: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clv_helpers.charts.disclosure.MOST_PROGRAM_CELLS", 0)
        check({place: float(data.draw(COUNTS)) for place in itertools.product(range(a), range(b), range(c))})


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
