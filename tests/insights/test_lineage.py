"""Where columns come from: for every column, by hand for some, and beside what happens when a source is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sqlglot import exp

from clv_helpers import dashboards, insights, models
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, table
from clv_helpers.insights.lineage_views import as_text, trace
from clv_helpers.models.column_lineage import ROWS, Graph, LineageError, name_of
from conftest import SMALL, write_shop

CLV = str(Path(sys.executable).with_name("clv"))
BUILT = ("derived", "profile", "campaigns", "insights", "kpi")


@pytest.fixture(scope="module")
def graph(airline: Workbook) -> Graph:
    return Graph(airline)


def names(columns: list[tuple[str, str]]) -> list[str]:
    return [name_of(each) for each in columns]


def test_every_column_of_every_table_ends_in_what_exists(graph: Graph) -> None:
    checked = 0
    for name in graph.tables:
        if name in graph.published:
            assert graph.columns(name) == graph.published[name]
        for each in graph.columns(name):
            found = trace(graph, f"{name}.{each}")
            for end_table, end in found.sources:
                assert end_table in graph.published, (name, each, end_table)
                assert end == ROWS or end in graph.published[end_table], (name, each, end_table, end)
            assert all(graph.columns(t) for t, _ in found.made_by)
            checked += 1
    assert checked > 300


def test_every_column_of_the_shop(cdnow: Workbook) -> None:
    graph = Graph(cdnow)
    for name in graph.published.keys() & graph.tables.keys():
        for each in graph.columns(name):
            assert all(end in graph.published for end, _ in trace(graph, f"{name}.{each}").sources)


def test_every_widget(airline: Workbook, graph: Graph) -> None:
    for name in dashboards.names(airline):
        titles = [widget["title"] for widget in yaml_files.read(airline, "dashboards", name)["widgets"]]
        for index, title in enumerate(titles, 1):
            by_index = trace(graph, f"dashboards/{name}/{index}")
            if titles.count(title) == 1:
                by_title = trace(graph, f"dashboards/{name}/{title}")
                assert by_index.values[by_index.root] == by_title.values[by_index.root]
            assert by_index.sources, (name, index)


@pytest.mark.parametrize(
    ("place", "sources"),
    [
        ("insights.fact_value_by_decile.value", {"mileage", "transaction_type"}),
        ("insights.fact_value_by_month.spend", {"amount", "transaction_type"}),
        ("insights.fact_customer_month.month", {"occurred_at", "order_id", "refund_of", "customer_id"}),
        ("derived.summary.first_event_on", {"occurred_at"}),
    ],
)
def test_by_hand(graph: Graph, place: str, sources: set[str]) -> None:
    assert set(names(trace(graph, place).sources)) == {f"lake.purchases.{name}" for name in sources}


def test_counted_rows_end_in_the_rows_of_the_file(graph: Graph) -> None:
    found = trace(graph, "derived.repeat_purchase.customers")
    assert names(found.sources) == ["the rows of lake.purchases"]
    assert found.made_by["lake.purchases", ROWS] == "the rows of loyalty_events.parquet"


def test_what_python_writes_is_an_end_and_says_who(graph: Graph) -> None:
    found = trace(graph, "profile.customer.lifetime_value")
    assert (
        found.made_by["lifetime.score", "discounted_purchases"] == "written by the fitted models (clv_helpers/lifetime)"
    )
    assert "lake.purchases.amount" in names(found.sources)
    membership = trace(graph, "audiences.membership.status")
    assert membership.made_by["audiences.membership_period", "evaluation"].startswith(
        "written by the evaluation of audiences"
    )


def test_header_of_the_file_is_named(cdnow: Workbook) -> None:
    found = trace(Graph(cdnow), "derived.customer_day.customer_id")
    assert found.made_by["lake.purchases", "customer_id"] == "column 'customer_id' of cdnow_master.csv"


def test_own_tables_and_seeds_before_anything_was_run(outputs: Path, tmp_path: Path) -> None:
    shop = Workbook.open(write_shop(tmp_path))
    own = tmp_path / "shop" / "sql"
    own.mkdir(parents=True)
    (own / "dim_day_kind.csv").write_text("weekday,kind\n0,weekend\n6,weekend\n")
    (own / "fact_kind.sql").write_text(
        "-- One row: a kind of day.\n-- Key: kind\n"
        "SELECT k.kind, SUM(d.spend) AS spend FROM derived.customer_day AS d "
        "JOIN insights.dim_day_kind AS k ON k.weekday = EXTRACT(DAYOFWEEK FROM d.day) GROUP BY k.kind"
    )
    found = trace(Graph(shop), "insights.fact_kind.spend")
    assert names(found.sources) == ["lake.purchases.amount"]
    assert found.made_by[found.root] == "params/shop/sql/fact_kind.sql"
    kind = trace(Graph(shop), "insights.fact_kind.kind")
    assert kind.made_by["insights.dim_day_kind", "kind"] == "column 'kind' of params/shop/sql/dim_day_kind.csv"
    assert found.made_by["lake.purchases", "amount"] == "column 'spent' of purchases.csv"


def test_before_anything_was_run_a_column_ends_in_the_tables_of_after(
    outputs: Path, airline: Workbook, graph: Graph
) -> None:
    fresh = Graph(Workbook.open(airline.file, overrides=SMALL))
    assert not fresh.published
    for name in fresh.tables:
        for each in fresh.columns(name):
            ends = {end for end, _ in fresh.lineage((name, each)).sources}
            assert ends >= {end for end, _ in graph.lineage((name, each)).sources}, (name, each)


def test_days_kept_of_a_table_come_from_it(graph: Graph) -> None:
    kept = next(each for each in graph.tables.values() if each.snapshot)
    name = next(each for each in graph.columns(kept.name) if each != "as_of")
    days = trace(graph, f"{kept.name}_daily.{name}")
    assert days.values[days.root] == [(kept.name, name)]
    assert days.sources == trace(graph, f"{kept.name}.{name}").sources


def test_tree_for_people(graph: Graph) -> None:
    root, *lines = as_text(trace(graph, "derived.customer_day.value")).splitlines()
    assert root.split(" = ") == [
        f"{'derived.customer_day.value':38}",
        "CAST(COALESCE(SUM(purchased.value), 0) AS DECIMAL(18, 4))",
    ]
    assert any(line.startswith("├─ lake.purchases.mileage ") for line in lines)
    assert all("  ← column " in line for line in lines if "lake.purchases.transaction_type" in line)


def test_shown_in_a_notebook(airline: Workbook) -> None:
    shown = insights.lineage(airline, "insights.fact_value_by_decile.value").bundle
    assert "lake.purchases.mileage" in shown["text/html"]
    assert shown["text/plain"].startswith("insights.fact_value_by_decile.value")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("insights.fact_value_by_decil.value", "did you mean insights.fact_value_by_decile?"),
        ("insights.dim_date.dey", "insights.dim_date has no column 'dey'; did you mean day?"),
        ("nonsense", "there is no table 'nonsense'; allowed: "),
        ("dashboards/nowhere/1", "there is no dashboard 'nowhere'; allowed: acquisition, at_risk, audiences, "),
        ("dashboards/value/99", "dashboards/value has no widget '99'; allowed: 1 to "),
    ],
)
def test_what_is_not_there(graph: Graph, place: str, said: str) -> None:
    with pytest.raises(LineageError) as error:
        trace(graph, place)
    assert said in str(error.value)


def test_command(workbook: Workbook) -> None:
    done = subprocess.run(
        [CLV, "lineage", str(workbook.file), "derived.repeat_purchase.customers", "--json"],
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found["sources"] == ["the rows of lake.purchases"]
    nodes = {node["name"] for node in found["nodes"]}
    assert {edge[end] for edge in found["edges"] for end in ("from", "to")} <= nodes


CHANGES = [  # of a source column; and a column that must move with it
    ("purchases", "amount", "amount * 2 + 1", "insights.fact_value_by_month.spend"),
    ("purchases", "mileage", "MOD(mileage * 7919, 10007)", "insights.fact_value_by_decile.value"),
    ("customers", "region", "NULL", "insights.dim_customer_band.region"),
    ("email_events", "user_agent", "'Mozilla/5.0'", "campaigns.fact_campaign_result.open_rate"),
]


def test_a_source_moves_only_what_descends_from_it(workbook: Workbook, graph: Graph) -> None:
    """Beside the real thing: one column of the lake after the other is changed, all is built anew, and what differs
    from before must stand in a table that reads that dataset."""
    still = Workbook.open(workbook.file, as_of="2026-01-01", overrides=SMALL)
    before = built_anew(still, graph)
    for dataset, name, change, moves in CHANGES:
        with still.engine.write() as session:
            session.run(exp.update(table(f"lake.{dataset}"), {name: exp.maybe_parse(change, dialect="duckdb")}))
        after = built_anew(still, graph)
        moved = [key for key in before if not before[key].equals(after[key])]
        assert moves in moved
        assert (f"lake.{dataset}", name) in trace(graph, moves).sources
        for key in moved:
            rows = graph.lineage((key.rpartition(".")[0], ROWS))
            assert (f"lake.{dataset}", ROWS) in rows.sources, key
        before = after


def built_anew(workbook: Workbook, graph: Graph) -> dict[str, pd.Series]:
    """Every column of the tables that SQL makes, in the order of their keys."""
    with workbook.engine.write() as session:
        session.run("DELETE FROM lake.checkpoint")
    models.refresh(workbook, *BUILT)
    found = {}
    with workbook.engine.read() as session:
        for name, each in graph.tables.items():
            if name.split(".")[0] in BUILT:
                rows = session.frame(exp.select("*").from_(table(name)).order_by(*map(column, each.key)))
                found |= {f"{name}.{c}": rows[c].astype(str) for c in rows}
    return found


def test_widget_over_a_sql_file(outputs: Path, tmp_path: Path) -> None:
    shop = Workbook.open(write_shop(tmp_path))
    boards = tmp_path / "shop" / "dashboards"
    boards.mkdir(parents=True)
    (boards / "spend.sql").write_text(
        "SELECT m.day AS at, SUM(m.spend) AS total FROM derived.customer_day AS m GROUP BY m.day"
    )
    widget = "{title: 'Spent: {total}', sql: spend, mark: bar, x: at, y: {column: total}}"
    (boards / "board.yml").write_text(f"title: Board\nwidgets:\n  - {widget}\n")
    found = trace(Graph(shop), "dashboards/board/1")
    assert names(found.values[found.root]) == ["derived.customer_day.day", "derived.customer_day.spend"]
    assert {"lake.purchases.occurred_at", "lake.purchases.amount"} <= set(names(found.sources))
    (boards / "spend.sql").write_text("SELECT FROM WHERE")
    with pytest.raises(LineageError, match="spend.sql: "):
        trace(Graph(shop), "dashboards/board/1")
