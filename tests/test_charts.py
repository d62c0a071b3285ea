"""One function renders every mark over aggregated rows, and says in a sentence what it cannot draw."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from clv_helpers import charts
from clv_helpers.charts import CHART_MIME, MARKS, ChartError, Widget
from clv_helpers.charts.marks import chart_of
from clv_helpers.charts.rows import Days
from clv_helpers.charts.theme import PALETTE
from clv_helpers.charts.venn import distance, overlap
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import QueryError

TABLE = "insights.fact_value_by_decile"
SHARE = {"column": "share_of_value", "format": ".0%"}
SHARE_BEFORE = {"column": "share_of_decile", "format": ".0%"}
DECILES = {"table": TABLE, "filters": {"category": "ALL", "lookback": "12 months"}}
MONTHS = {"table": "insights.fact_value_by_month"}
OVERLAP = """
SELECT a.audience AS one, b.audience AS other, COUNT(*) AS customers
FROM audiences.membership AS a JOIN audiences.membership AS b ON a.customer_id = b.customer_id
GROUP BY a.audience, b.audience
"""
BY_MARK = {
    "bar": {**DECILES, "x": "decile", "y": SHARE, "labels": True},
    "line": {**MONTHS, "x": "month", "y": "value", "color": "category"},
    "area": {**MONTHS, "x": "month", "y": "value", "filters": {"category": "ALL"}},
    "point": {**DECILES, "x": "value_per_customer", "y": "spend", "size": "customers"},
    "tick": {"table": TABLE, "x": "value_per_customer", "y": "category", "filters": {"lookback": "12 months"}},
    "donut": {"table": "insights.fact_value_by_category", "size": "spend", "color": "category"},
    "number": {"table": "insights.fact_value_by_category", "y": {"column": "spend", "aggregate": "sum"}},
    "table": {**DECILES, "columns": ["decile", {"column": "customers", "format": ",.0f"}, SHARE]},
    "heatmap": {
        "table": "insights.fact_recency_frequency",
        "x": "frequency_band",
        "y": "recency_band",
        "color": "customers",
        "labels": True,
    },
    "matrix": {
        "table": "insights.fact_decile_movement",
        "filters": {"lookback": "12 months"},
        "x": {"column": "now", "sort": "now_order"},
        "y": {"column": "before", "sort": "before_order"},
        "color": SHARE_BEFORE,
        "labels": True,
    },
    "dumbbell": {
        "table": "insights.fact_value_by_category",
        "x": {"column": "share_of_spend", "format": ".0%"},
        "x2": "share_of_customers",
        "y": "category",
        "tooltip": ["category", {"column": "share_of_customers", "title": "Share of members"}],
        "labels": True,
    },
    "funnel": {**DECILES, "y": "lookback", "x": {"column": "purchases", "aggregate": "sum"}},
    "venn": {"sql": "overlap", "x": "one", "y": "other", "size": "customers"},
}


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline's tables with a dashboards folder of this test's own."""
    folder = tmp_path / "airline" / "dashboards"
    folder.mkdir(parents=True)
    (folder / "overlap.sql").write_text(OVERLAP)
    workbook = Workbook(tmp_path / "airline.yml", airline.params.model_copy(update={"min_cell": 1}))
    workbook.__dict__["engine"] = airline.engine
    return workbook


def widget(mark: str, **changes: object) -> Widget:
    audiences = ["best_now_quiet", "do_not_write"] if mark == "venn" else None
    more = {"filters": {"one": audiences, "other": audiences}} if audiences else {}
    return Widget.model_validate({"title": "t", "mark": mark, **BY_MARK[mark], **more, **changes})


def test_every_mark_is_tried() -> None:
    assert set(BY_MARK) == set(MARKS)


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_drawn_by_the_real_vega(mark: str, own: Workbook) -> None:
    import vl_convert

    bundle = charts.draw(own, widget(mark)).bundle
    if mark == "table":
        assert bundle["text/html"].count("<tr") == 11
        return
    spec = bundle[CHART_MIME]
    picture = vl_convert.vegalite_to_svg({**spec, "title": None})
    assert picture.count("<path") + picture.count("<text") > 2
    assert "NaN" not in picture.replace("isNaN", "")


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("lacking", ["x", "y", "color", "size", "columns"])
def test_a_mark_without_its_axis_is_named(mark: str, lacking: str) -> None:
    if lacking not in MARKS[mark]:
        return
    raw = {key: value for key, value in BY_MARK[mark].items() if key != lacking}
    with pytest.raises(ValidationError, match=f"the widget 'best' is a {mark}, which needs .*{lacking}"):
        Widget.model_validate({"title": "best", "mark": mark, **raw})


def test_data_is_a_table_or_a_file(own: Workbook) -> None:
    with pytest.raises(ValidationError, match="needs table .* or sql .*, not both"):
        widget("bar", sql="overlap")
    allowed = ".*, audience_overlap, .*, campaign_decile, .*, overlap, plan_by_month, .*"  # those built in, and its own
    with pytest.raises(ChartError, match=f"widget 't': sql is 'nope'; allowed: {allowed}$"):
        charts.draw(own, widget("bar", table=None, sql="nope"))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DROP TABLE insights.dim_date", "bad.sql: it begins with DROP; allowed: a single SELECT"),
        ("SELECT 1; SELECT 2", "bad.sql: it holds 2 statements; allowed: a single SELECT"),
        ("SELECT 1\nFROM WHERE", "bad.sql, line 2: Expected table name but got WHERE at 'WHERE', after 'FROM'"),
        ("SELECT 1\n) AS x", "bad.sql, line 2: '\\)' is not expected here"),
        ("SELECT * FROM READ_CSV('/etc/passwd')", "bad.sql: rows cannot come from read_csv"),
    ],
)
def test_a_file_that_is_no_select_is_refused(own: Workbook, sql: str, says: str) -> None:
    (own.specs / "dashboards" / "bad.sql").write_text(sql)
    with pytest.raises(QueryError, match=says):
        charts.draw(own, widget("bar", table=None, sql="bad"))


def test_sort_limit_exclude_and_days(own: Workbook) -> None:
    with own.engine.read() as session:
        bars = widget("bar", sort=["-value"], limit=3, exclude={"decile": [1, 2]})
        assert list(charts.picture(session, own, bars).rows["decile"]) == [3, 4, 5]
        months = charts.picture(session, own, widget("area")).rows["month"]
        first, last = months.iloc[3].date(), months.iloc[5].date()
        narrowed = charts.picture(session, own, widget("area"), {"month": Days(first, last)}).rows["month"]
        assert list(narrowed) == list(months.iloc[3:6])
        assert "BETWEEN" in charts.sql_of(session, own, widget("area"), {"month": Days(first, last)})


def test_a_matrix_tells_hidden_cells_from_empty_ones(airline: Workbook) -> None:
    with airline.engine.read() as session:
        drawn = charts.picture(session, airline, widget("matrix"))
        moves = session.frame("SELECT * FROM insights.fact_decile_movement WHERE lookback = '12 months'")
    cells = drawn.rows.set_index(["before", "now"])
    hidden = cells[cells["share_of_decile"].isna()]
    counted = moves[moves["customers"] > 0].set_index(["before", "now"])["customers"]
    assert set(cells.index) == set(counted.index)
    assert set(counted[counted < airline.params.min_cell].index) <= set(hidden.index)
    assert hidden.drop(columns=["before_order", "now_order"]).isna().all(axis=None)  # nothing but their places
    values = max(drawn.spec["datasets"].values(), key=len)
    assert {row["_fill"] is None for row in values if (row["before"], row["now"]) in hidden.index} == {True}
    stayed = [row for row in values if row["_stayed"]]
    assert stayed
    assert all(row["before"] == row["now"] for row in stayed)


def test_what_is_picked_leads_and_what_stood_out_recedes(own: Workbook) -> None:
    import vl_convert

    picture = charts.draw(own, widget("bar", highlight={"decile": 1}))
    spec = {**picture.bundle[CHART_MIME], "title": None}

    def leading(picked: object) -> list[str]:
        params = [{**one, "value": picked} if one["name"] == "picked" else one for one in spec["params"]]
        bars = re.findall(r"<path[^>]*description=.bar.[^>]*>", vl_convert.vegalite_to_svg({**spec, "params": params}))
        assert len(bars) == 10
        return [re.search(r"ecile: (\d+)", bar)[1] for bar in bars if PALETTE[0] in bar and 'opacity="0.25"' not in bar]

    assert leading(None) == ["1"]
    assert leading({"column": "decile", "value": 3}) == ["3"]
    assert leading({"column": "region", "value": "Nordics"}) == ["1"]  # which this chart does not know


def test_a_name_whose_row_is_left_out_has_no_empty_place() -> None:
    rows = pd.DataFrame({"region": ["Nordics", "Overseas"], "customers": [40, 30]})
    axes = {"region": {"Nordics": 2, "Overseas": 1, "Few": None}}
    below = Widget(title="t", table=TABLE, mark="bar", x="customers", y="region")
    beside = Widget(title="t", table=TABLE, mark="bar", x="region", y="customers")
    assert chart_of(below, rows, axes).to_dict()["encoding"]["y"]["scale"]["domain"] == ["Overseas", "Nordics"]
    assert chart_of(beside, rows, axes).to_dict()["encoding"]["x"]["scale"]["domain"][-1] == "Few"


def test_a_dumbbell_names_both_shares(own: Workbook) -> None:
    spec = charts.draw(own, widget("dumbbell")).bundle[CHART_MIME]
    named = [layer["encoding"].get("color", {}).get("datum") for layer in spec["layer"]]
    assert {name for name in named if name} == {"Share of members", "Share of spend"}
    rows = max(spec["datasets"].values(), key=len)
    assert all(abs(sum(row[name] for row in rows) - 1) < 0.1 for name in ("share_of_spend", "share_of_customers"))


@pytest.mark.parametrize("named", [True, False])
def test_up_to_four_lines_are_named_at_their_ends(own: Workbook, named: bool) -> None:
    categories = {"category": ["ALL", "FLYER", "GOLD"]} if named else {}
    lines = widget("line", filters=categories, **({} if named else {"legend": "none"}))
    spec = charts.draw(own, lines).bundle[CHART_MIME]
    ends = [layer for layer in spec.get("layer", []) if layer.get("name", "").startswith("ends_")]
    assert bool(ends) == named
    if named:
        told = spec["datasets"][ends[-1]["data"]["name"]]
        assert sorted(row["_name"] for row in told) == sorted(categories["category"])
        places = sorted(row["_at"] for row in told)
        assert all(b > a for a, b in itertools.pairwise(places))
        assert spec["layer"][0]["encoding"]["color"]["legend"] is None


def test_last_year_is_dashed_and_campaigns_are_marked(airline: Workbook) -> None:
    trend = widget("line", table=None, sql="value_by_year", filters={"category": "ALL"}, color="series",
                   beside="A year before", events="campaigns", people="active_customers")  # fmt: skip
    with airline.engine.read() as session:
        drawn = charts.picture(session, airline, trend)
        sent = session.frame(
            "SELECT campaign FROM insights.fact_campaign_send GROUP BY campaign "
            f"HAVING COUNT(DISTINCT customer_id) >= {airline.params.min_cell}"
        )
    dash = next(layer for layer in drawn.spec["layer"] if "strokeDash" in layer["encoding"])["encoding"]["strokeDash"]
    assert "A year before" in dash["condition"]["test"]
    assert drawn.happened is not None
    assert set(drawn.happened["campaign"]) <= set(sent["campaign"])
    now, before = (drawn.rows[drawn.rows["series"] == name].set_index("month")["value"] for name in
                   ("This year", "A year before"))  # fmt: skip
    for month, value in before.items():
        assert now[month - pd.DateOffset(years=1)] == value


def test_overlap_of_circles_has_the_area_asked_for() -> None:
    assert overlap(1, 1, 0) == pytest.approx(math.pi)
    for a, b, share in [(1, 1, 0.3), (3, 1, 0.9), (2, 1.5, 0.01)]:
        common = share * math.pi * min(a, b) ** 2
        assert overlap(a, b, distance(a, b, common)) == pytest.approx(common, rel=1e-6)


def test_venn_of_one_set_is_refused(own: Workbook) -> None:
    one = widget("venn", filters={"one": "do_not_write", "other": "do_not_write"})
    with pytest.raises(ChartError, match="venn of 1 sets; allowed: two or more"):
        charts.draw(own, one)


def test_three_sets_are_a_matrix_of_dots_under_bars(own: Workbook) -> None:
    drawn = charts.draw(own, widget("venn").model_copy(update={"filters": {}})).bundle[CHART_MIME]
    bars = next(layer["data"]["values"] for layer in drawn["layer"] if layer["mark"]["type"] == "bar")
    dots = [dot for layer in drawn["layer"] if layer["mark"]["type"] == "point" for dot in layer["data"]["values"]]
    rows = _pairs(own)
    assert [bar["n"] for bar in bars] == sorted((bar["n"] for bar in bars), reverse=True)
    for bar in bars:
        one, other = bar["sets"].split(" and ")
        assert bar["n"] == rows[one, other]
        assert {dot["row"] for dot in dots if dot["at"] == bar["at"] and dot["is_in"]} == {bar["first"], bar["last"]}


def _pairs(workbook: Workbook) -> dict[tuple[str, str], int]:
    with workbook.engine.read() as session:
        rows = session.frame(OVERLAP)
    return {(one, other): count for one, other, count in rows.itertuples(index=False)}


def test_a_board_without_two_audiences_says_so_in_their_place(own: Workbook) -> None:
    alone = OVERLAP.replace("GROUP BY", "WHERE a.audience = 'do_not_write' AND b.audience = a.audience GROUP BY")
    (own.specs / "dashboards" / "overlap.sql").write_text(alone)
    with pytest.raises(charts.NotMade, match="an overlap needs two"):
        charts.draw(own, widget("venn").model_copy(update={"filters": {}}))
