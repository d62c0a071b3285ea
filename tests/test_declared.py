"""What may be shown is told by the lineage of its columns: `clv check` refuses a person before anything is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clv_helpers import dashboards, insights
from clv_helpers.charts import ChartError, Widget, picture
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.notebooks import check

P = "profile.customer"
ONE = {"title": "t", "mark": "table", "limit": 20}


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline, built, with a folder of its own for boards and tables."""
    (tmp_path / "airline.yml").write_text(airline.file.read_text())
    for folder in ("dashboards", "sql"):
        (tmp_path / "airline" / folder).mkdir(parents=True)
    return Workbook(tmp_path / "airline.yml", airline.params)


def board(own: Workbook, widget: dict[str, Any] | None = None, sql: str = "", **more: Any) -> list[str]:
    """What `clv check` says of a board with this widget, over this SQL."""
    widget = widget if widget is not None else {**ONE, "columns": ["region", "spend"]}
    folder = own.specs / "dashboards"
    if sql:
        (folder / "mine.sql").write_text(sql)
        widget = {"sql": "mine", **{key: value for key, value in widget.items() if key != "table"}}
    (folder / "mine.yml").write_text(yaml.safe_dump({"title": "Mine", "widgets": [widget], **more}))
    return [str(problem) for problem in check(own) if "mine" in str(problem.file) or "mine" in str(problem)]


NAMED = {
    "a number in a table": {"table": P, "columns": ["customer_id", "region"]},
    "a number in a tooltip": {"table": P, "columns": ["region"], "tooltip": ["customer_id"]},
    "names in a table": {"table": P, "columns": ["first_name", "last_name"]},
    "a name on an axis": {"table": P, "mark": "bar", "x": "spend", "y": "last_name"},
    "a number in a title": {"table": P, "title": "It is {customer_id}", "title_from": "top", "columns": ["region"]},
    "what came in": {"table": "lake.customers", "columns": ["customer_id"]},
    "an address": {"table": P, "columns": ["email"]},
    "an identity": {"table": "profile.identity", "columns": ["identity"]},
    "chosen by": {"table": P, "columns": ["region"], "filters": {"customer_id": "M0000001"}},
    "sorted by": {"table": P, "columns": ["region"], "sort": ["customer_id"]},
    "who is in an audience": {"table": "audiences.membership", "columns": ["customer_id"]},
    "the ledger": {"table": "activation.assignment", "columns": ["customer_id", "arm"]},
}


@pytest.mark.parametrize("widget", NAMED.values(), ids=NAMED.keys())
def test_a_person_is_refused_by_the_check_and_when_drawn(own: Workbook, widget: dict[str, Any]) -> None:
    widget = {**ONE, **widget}
    said = board(own, widget)
    assert any("tells of one person (" in text and widget["table"] in text for text in said), said
    with own.engine.read() as session, pytest.raises(ChartError, match="tells of one person"):
        picture(session, own, Widget(**widget))


DISGUISED = [
    "MD5(email)", "SHA256(email)", "BASE64(ENCODE(email))", "HEX(ENCODE(email))", "REPLACE(email, '@', ' at ')",
    "MIN(email)", "ANY_VALUE(email)", "STRING_AGG(email, ', ')", "LIST(customer_id)", "FIRST(last_name)",
    "MAX(first_name || ' ' || last_name)", "LEFT(email, 4)", "COALESCE(email, 'none')", "CAST(HASH(email) AS VARCHAR)",
    "MAX(CASE WHEN spend > 0 THEN email END)", "ARG_MAX(email, spend)", "(SELECT MAX(email) FROM profile.customer)",
    "REVERSE(email)", "MAX(email) OVER ()", "STRUCT_PACK(e := email)", "COUNT(*) || MIN(email)",
]  # fmt: skip


@pytest.mark.parametrize("expression", DISGUISED)
def test_nor_in_disguise(own: Workbook, expression: str) -> None:
    sql = f"SELECT {expression} AS region, COUNT(*) AS customers FROM {P} GROUP BY ALL"
    assert "tells of one person" in str(board(own, {**ONE, "columns": ["region", "customers"]}, sql))


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT email AS x FROM profile.customer) SELECT x AS region, 20 AS spend FROM a",
        "SELECT r AS region, s AS spend FROM (SELECT last_name AS r, spend AS s FROM profile.customer) AS q",
        "SELECT region, spend FROM profile.customer UNION ALL SELECT email, spend FROM profile.customer",
        "SELECT region, spend FROM insights.fact_mine",
        "SELECT * FROM profile.customer",
    ],
)
def test_nor_through_queries_and_tables_in_between(own: Workbook, sql: str) -> None:
    (own.specs / "sql" / "fact_mine.sql").write_text(
        "-- One row: a customer.\n-- Key: region\nSELECT customer_id AS region, spend FROM profile.customer"
    )
    columns = ["email"] if "*" in sql else ["region", "spend"]
    assert "tells of one person" in str(board(own, {**ONE, "columns": columns}, sql))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (f"SELECT region, spend FROM {P}", "no column says how many"),
        (f"SELECT region, spend, 5000 AS customers FROM {P}", "does not count"),
        (f"SELECT region, SUM(spend) AS spend, 5000 AS customers FROM {P} GROUP BY region", "does not count"),
        (f"SELECT region, SUM(spend) AS spend FROM {P} GROUP BY region", "no column says how many"),
        ("SELECT region, spend, customers FROM insights.fact_mine", "does not count"),
    ],
)
def test_rows_about_people_say_how_many(own: Workbook, sql: str, says: str) -> None:
    (own.specs / "sql" / "fact_mine.sql").write_text(
        "-- One row: a region.\n-- Key: region\n"
        f"SELECT region, SUM(spend) AS spend, 5000 AS customers FROM {P} GROUP BY region"
    )
    assert says in str(board(own, sql=sql))


@pytest.mark.parametrize(
    ("columns", "source"),
    [
        ("region, SUM(spend) AS spend, COUNT(*) AS customers", P),
        ("region, AVG(spend) AS spend, COUNT(DISTINCT customer_id) AS customers", P),
        ("category AS region, SUM(value) AS spend, SUM(customers) AS customers", "insights.fact_value_by_decile"),
        ("CAST(month AS VARCHAR) AS region, COUNT(*) AS spend", "insights.dim_date"),
        ("CASE WHEN email IS NULL THEN 'no' ELSE 'yes' END AS region, SUM(spend) AS spend, COUNT(*) AS customers", P),
    ],
)
def test_aggregates_over_groups_pass(own: Workbook, columns: str, source: str) -> None:
    assert board(own, sql=f"SELECT {columns} FROM {source} GROUP BY 1") == []


def test_a_filter_offers_no_person(own: Workbook) -> None:
    fine = {**ONE, "table": "insights.fact_value_by_category", "columns": ["category", "customers"]}
    said = board(own, fine, filters=[{"column": "email", "table": P, "label": "E-mail"}])
    assert "filters[0]: it offers email, which tells of one person" in str(said)


def test_what_is_shipped_passes(airline: Workbook) -> None:
    assert check(airline) == []
    assert len(dashboards.names(airline)) >= 5


def test_a_query_displays_what_may_be_shared_and_gives_its_rows_exactly(airline: Workbook) -> None:
    shown = insights.query(airline, f"SELECT customer_id, spend FROM {P}")
    assert len(shown.frame) > 100
    for text in shown._repr_mimebundle_().values():
        assert "tells of one person" in text
        assert not [number for number in shown.frame["customer_id"] if number in text]
    one = insights.query(airline, f"SELECT COUNT(*) AS customers, MAX(spend) AS spend FROM (FROM {P} LIMIT 3) AS few")
    assert f"{one.frame['spend'][0]:,.2f}" not in one._repr_mimebundle_()["text/html"]


def test_people_are_looked_at_live_alone(airline: Workbook) -> None:
    sql = f"SELECT customer_id FROM {P}"
    assert "M0" in str(insights.people(airline, sql).bundle)
    assert "M0" not in str(insights.people(Workbook(airline.file, airline.params, run="a-run"), sql).bundle)
