"""A dashboard is a file: what it names must exist, and no chart holds a person or raw rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from clv_helpers import charts, dashboards
from clv_helpers.charts import CHART_MIME, ChartError, Widget
from clv_helpers.charts import rows as chart_rows
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.live_board import LiveBoard
from conftest import on_same_tables

BAR = {
    "title": "{share_of_value} of {unit}",
    "title_from": {"decile": 1},
    "table": "insights.fact_value_by_decile",
    "filters": {"category": "ALL", "lookback": "12 months"},
    "mark": "bar",
    "x": "decile",
    "y": {"column": "share_of_value", "title": "Share of {unit}"},
}


def drawn(workbook: Workbook, chosen: dict | None = None, **changes: object) -> dict:
    return charts.draw(workbook, Widget.model_validate({**BAR, **changes}), chosen).bundle[CHART_MIME]


def rows(spec: dict) -> list[dict]:
    return next(iter(spec["datasets"].values()))


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_shipped_dashboards_draw(name: str, request: pytest.FixtureRequest) -> None:
    built = request.getfixturevalue(name)
    workbook = on_same_tables(built, min_cell=1)  # 600 customers are few
    assert "value" in dashboards.names(workbook)
    for dashboard in dashboards.names(workbook):
        for shown in dashboards.show(workbook, dashboard).parts:
            if "<table" in shown.bundle.get("text/html", ""):
                assert not re.search(r"M\d{7}|@", shown.bundle["text/html"])
                continue
            if CHART_MIME not in shown.bundle:  # a stage that this data does not have
                assert shown.bundle["text/plain"].startswith("There is no table campaigns.")
                assert (name, dashboard) == ("cdnow", "campaign_results")
                continue
            spec = shown.bundle[CHART_MIME]
            assert spec.get("layer") or rows(spec), spec["title"]
            assert "No data" not in spec["title"]["text"]
            assert not re.search(r"M\d{7}|@", json.dumps(spec))


def test_title_states_what_the_rows_say(airline: Workbook) -> None:
    spec = drawn(airline)
    first = next(row for row in rows(spec) if row["decile"] == 1)
    assert spec["title"]["text"] == f"{first['share_of_value']:.0%} of miles"
    assert spec["encoding"]["y"]["axis"]["title"] == "Share of miles"


def test_board_filter_narrows_but_not_what_is_on_an_axis(airline: Workbook) -> None:
    assert rows(drawn(airline, {"lookback": "lifetime"})) != rows(drawn(airline))
    assert rows(drawn(airline, {"decile": 1})) == rows(drawn(airline))
    assert rows(drawn(airline, {"unknown_column": 1})) == rows(drawn(airline))


def test_aggregate_is_done_by_the_engine(airline: Workbook) -> None:
    customers = {"column": "customers", "aggregate": "sum"}
    spec = drawn(airline, x="lookback", y=customers, title="t", title_from="top")
    expected = airline.query("insights.fact_value_by_decile", category="ALL", lookback="12 months")
    assert rows(spec) == [{"lookback": "12 months", "customers": 5 * round(expected["customers"].sum() / 5)}]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"x": "decil"}, "insights.fact_value_by_decile has no column decil; it has category"),
        ({"table": "insights.nope"}, "there is no table insights.nope"),
        ({"title_from": {"nope": 1}}, "title_from names 'nope', which its rows lack"),
        ({"title": "{nope}"}, "its title names 'nope', which its rows lack"),
        (
            {"filters": {}, "title_from": "first"},
            "more than 2,000 rows; aggregate it in SQL first",
        ),
    ],
)
def test_widget_that_cannot_be_drawn_is_named(
    airline: Workbook, monkeypatch: pytest.MonkeyPatch, changes: dict, says: str
) -> None:
    if "2,000" in says:
        monkeypatch.setattr(chart_rows, "MAX_ROWS", 5)
        says = says.replace("2,000", "5")
    with pytest.raises(ChartError) as refused:
        drawn(airline, **changes)
    assert says in str(refused.value)
    assert str(refused.value).startswith("widget '")


def test_choice_without_data_says_so(airline: Workbook) -> None:
    assert drawn(airline, {"category": "PLATINUM"})["title"]["text"] == "No data for this choice"


@pytest.mark.parametrize(
    ("widget", "says"),
    [
        ({**BAR, "mark": "pie"}, "widgets[0].mark is 'pie'; allowed: 'bar', 'line'"),
        ({**BAR, "colour": "decile"}, "widgets[0].colour is not a key; did you mean color?"),
        (
            {k: v for k, v in BAR.items() if k != "y"},
            "widgets[0] is incomplete; allowed: the widget '{share_of_value}",
        ),
        ({**BAR, "table": "fact"}, "widgets[0].table is 'fact'"),
    ],
)
def test_wrong_dashboard_file_is_named_with_its_place(widget: dict, says: str) -> None:
    with pytest.raises(ParamsError) as refused:
        validate(dashboards.Dashboard, {"title": "t", "widgets": [widget]}, "dashboards/x.yml")
    assert says in str(refused.value)


def test_unknown_dashboard_names_those_there_are(airline: Workbook) -> None:
    with pytest.raises(
        ParamsError,
        match="dashboard is 'nope'; allowed: acquisition, at_risk, audiences, campaign_results, customers, decile",
    ):
        dashboards.load(airline, "nope")


def test_live_board_redraws_when_a_filter_changes(airline: Workbook) -> None:
    board = LiveBoard(airline, ["value"])
    before = [card["title"] for card in board.view.cards]
    lookback = next(c for c in board.controls.children if c.description == "Look-back")
    assert list(lookback.options)[:3] == ["1 month", "3 months", "6 months"]
    assert lookback.options[-1] == "lifetime"
    lookback.value = "lifetime"
    after = [card["title"] for card in board.view.cards]
    expected = [s.bundle["text/plain"] for s in dashboards.show(airline, "value", {"lookback": "lifetime"}).parts]
    assert after == expected != before


def test_names_in_braces_are_the_words_of_the_business(airline: Workbook) -> None:
    spec = drawn(
        airline,
        title="{customers} bring {share_of_value} of {words.value}, of all {words.customers}",
        subtitle="{words.customers} by {words.category} and {words.purchases}, in {unit}",
        y={"column": "share_of_value", "title": "Share of {words.customers}"},
        tooltip=["category", "customers"],
    )
    first = next(row for row in rows(spec) if row["decile"] == 1)
    share = f"{first['share_of_value']:.0%}"
    assert spec["title"]["text"] == f"{first['customers']:,} bring {share} of miles, of all members"
    assert spec["title"]["subtitle"].startswith("Members by status and ")
    assert spec["encoding"]["y"]["axis"]["title"] == "Share of members"
    assert [field["title"] for field in spec["encoding"]["tooltip"]] == ["Status", "Members"]


def test_a_board_speaks_the_words_of_the_business(airline: Workbook, tmp_path: Path) -> None:
    (tmp_path / "airline" / "dashboards").mkdir(parents=True)
    file = tmp_path / "airline" / "dashboards" / "mine.yml"
    file.write_text(
        'title: "{words.customers} and their {words.purchases}"\n'
        'filters: [{column: category, table: insights.fact_value_by_decile, label: "{words.category}"}]\n'
        "widgets: [{title: t, table: a.b, mark: bar, x: decile, y: value}]\n"
    )
    board = dashboards.load(Workbook(tmp_path / "airline.yml", airline.params), "mine")
    assert (board.title, board.filters[0].label) == ("Members and their flights", "Status")
