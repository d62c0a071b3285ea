"""What a chart may show is read from where its columns come from: persons are refused in every disguise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from clv_helpers import dashboards
from clv_helpers.charts import ChartError, Widget
from clv_helpers.charts.declared import check_choices, check_declared
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import notebooks
from conftest import write_shop

PARAMS = Path(__file__).parent.parent / "params"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    """The airline's params as one's own, with nothing built."""
    folder = tmp_path_factory.mktemp("params")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        shutil.copy(PARAMS / "airline.yml", folder)
        shutil.copytree(PARAMS / "airline", folder / "airline")
        (folder / "airline/sql/few.sql").write_text(
            "-- Some.\n-- One row: a customer.\n-- Key: customer_id\n"
            "SELECT customer_id, email, region FROM profile.customer LIMIT 10\n"
        )
        (folder / "airline/sql/hidden.sql").write_text(
            "-- Some.\n-- One row: a customer under another name.\n-- Key: who\n"
            "SELECT MD5(customer_id) AS who, region, 5000 AS customers FROM insights.few\n"
        )
        yield Workbook.open(folder / "airline.yml")


def of_table(table: str, *columns: str, **more: Any) -> Widget:
    return Widget.model_validate({"title": "raw", "table": table, "mark": "table", "columns": list(columns), **more})


def judge_sql(workbook: Workbook, sql: str, *columns: str, **more: Any) -> None:
    (workbook.specs / "dashboards/tried.sql").write_text(sql)
    widget = {"title": "tried", "sql": "tried", "mark": "table", "columns": list(columns), **more}
    check_declared(workbook, Widget.model_validate(widget))


PERSON = "profile.customer"
SHOWN = [
    of_table(PERSON, "customer_id"),
    of_table(PERSON, "region", tooltip=["customer_id"]),
    of_table(PERSON, "first_name", "last_name"),
    of_table(PERSON, "region", title="The best is {first_name}"),
    of_table(PERSON, "region", subtitle="{email}"),
    of_table(PERSON, "region", title_from={"customer_id": "M0000001"}),
    of_table(PERSON, "region", sort=["-email"]),
    of_table(PERSON, "region", filters={"customer_id": "M0000001"}),
    of_table(PERSON, "region", highlight={"email": "a@example.com"}),
    of_table("lake.customers", "email"),
    of_table("lake.email_events", "url"),
    of_table("profile.identity", "identity"),
    of_table("audiences.membership_period", "customer_id"),
    of_table("insights.few", "email"),
    of_table("insights.hidden", "who"),
    Widget.model_validate(
        {"title": "n", "table": PERSON, "mark": "bar", "x": "last_name", "y": {"column": "value", "aggregate": "sum"}}
    ),
    Widget.model_validate(
        {"title": "n", "table": PERSON, "mark": "number", "y": {"column": "email", "aggregate": "min"}}
    ),
]


@pytest.mark.parametrize("widget", SHOWN, ids=lambda w: w.model_dump_json(exclude_defaults=True))
def test_no_widget_shows_a_column_that_names_a_person(mine: Workbook, widget: Widget) -> None:
    with pytest.raises(ChartError, match="names a person"):
        check_declared(mine, widget)


DISGUISES = [
    "SELECT MD5(email) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY ALL",
    "SELECT SHA256(customer_id) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
    "SELECT BASE64(ENCODE(email)) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
    "SELECT REPLACE(email, '@', ' at ') AS x, 5000 AS customers FROM profile.customer",
    "SELECT SPLIT_PART(email, '.', 1) AS x, 5000 AS customers FROM profile.customer",
    "SELECT HASH(customer_id) % 1000003 AS x, 5000 AS customers FROM profile.customer",
    "SELECT region, MIN(email) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT region, ANY_VALUE(last_name) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT region, LIST(customer_id) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT region, STRING_AGG(email, ', ') AS x, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT region, ARG_MAX(customer_id, value) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT region AS x, 1 AS customers FROM profile.customer UNION ALL SELECT email, 1 FROM profile.customer",
    "WITH a AS (SELECT email AS e FROM profile.customer), b AS (SELECT e AS x FROM a) SELECT x, 9 AS customers FROM b",
    "SELECT x, 99 AS customers FROM (SELECT UPPER(first_name) AS x FROM profile.customer)",
    "SELECT (SELECT email FROM profile.customer LIMIT 1) AS x, 99 AS customers",
    "SELECT FIRST_VALUE(email) OVER (PARTITION BY region ORDER BY value) AS x, 99 AS customers FROM profile.customer",
    "SELECT LAG(last_name) OVER (ORDER BY value) AS x, 99 AS customers FROM profile.customer",
    "SELECT CASE WHEN value > 9 THEN email END AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
    "SELECT email || '' AS x, COUNT(*) AS customers FROM lake.customers GROUP BY 1",
    "SELECT {'a': email} AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
    "SELECT [email] AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
    "SELECT who AS x, customers FROM insights.hidden",
    "SELECT c.* EXCLUDE (customer_id, email), c.email AS x, 99 AS customers FROM profile.customer AS c",
    "SELECT t.x, 99 AS customers FROM (SELECT * RENAME (email AS x) FROM profile.customer) AS t",
    "SELECT UNNEST([email]) AS x, 99 AS customers FROM profile.customer",
    "SELECT u.x, 99 AS customers FROM profile.customer AS c, UNNEST([c.email]) AS u(x)",
    "SELECT u.x, 99 AS customers FROM profile.customer AS c, LATERAL (SELECT c.email AS x) AS u",
    "WITH RECURSIVE r AS (SELECT email AS x FROM profile.customer UNION ALL SELECT x FROM r WHERE FALSE) "
    "SELECT x, 99 AS customers FROM r",
    "SELECT LIST_TRANSFORM([email], e -> UPPER(e)) AS x, 99 AS customers FROM profile.customer",
    "SELECT COALESCE(NULL, email) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
    "SELECT MAX(CASE WHEN value > 9 THEN email END) AS x, COUNT(*) AS customers FROM profile.customer",
    "SELECT v AS x, 99 AS customers FROM (UNPIVOT (SELECT email, region FROM profile.customer) ON email, region "
    "INTO NAME n VALUE v)",
    "SELECT c AS x, 99 AS customers FROM profile.customer AS c",
]


@pytest.mark.parametrize("sql", DISGUISES)
def test_no_sql_disguises_a_person(mine: Workbook, sql: str) -> None:
    with pytest.raises(ChartError, match="names a person|cannot be read|single persons"):
        judge_sql(mine, sql, "x")


UNCOUNTED = [
    ("SELECT region, value, 5000 AS customers FROM profile.customer", "single persons"),
    ("SELECT region, SUM(value) AS value, 5000 AS customers FROM profile.customer GROUP BY region", "counts no"),
    ("SELECT region, SUM(value) AS value, SUM(5000) AS customers FROM profile.customer GROUP BY region", "counts no"),
    ("SELECT region, SUM(value) AS value FROM profile.customer GROUP BY region", "no column that counts"),
    ("SELECT region, value, COUNT(*) OVER () AS customers FROM profile.customer", "single persons"),
    ("SELECT SUM(value) AS value, 'a' AS region, 1 AS customers FROM profile.customer GROUP BY customer_id", "single"),
    ("SELECT region, SUM(v) AS value, COUNT(*) AS customers FROM (SELECT region, SUM(value) AS v FROM profile.customer "
     "GROUP BY region) GROUP BY region", "counts no customers"),
    ("SELECT category AS region, 1 AS value, COUNT(*) AS customers FROM lake.purchases GROUP BY 1", "counts no"),
    ("SELECT region, 1 AS value, COUNT(DISTINCT region) AS customers FROM profile.customer GROUP BY 1", "counts no"),
    ("SELECT c.region, 1 AS value, n AS customers FROM profile.customer AS c CROSS JOIN (SELECT 5000 AS n)", "single"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "said"), UNCOUNTED)
def test_rows_about_people_need_a_column_that_counts_them(mine: Workbook, sql: str, said: str) -> None:
    with pytest.raises(ChartError, match=said):
        judge_sql(mine, sql, "region", "value")


@pytest.mark.parametrize("table", ["profile.customer", "lake.purchases", "derived.customer_day", "insights.few"])
def test_no_table_of_single_persons_is_shown(mine: Workbook, table: str) -> None:
    column = "amount" if table.startswith("lake") else "spend" if table.startswith("derived") else "region"
    with pytest.raises(ChartError, match="single persons"):
        check_declared(mine, of_table(table, column))


AGGREGATES = [
    "SELECT region, SUM(value) AS value, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT region, SUM(value) AS value, COUNT(DISTINCT customer_id) AS customers FROM profile.customer GROUP BY 1",
    "SELECT category AS region, 1 AS value, COUNT(DISTINCT customer_id) AS people FROM lake.purchases GROUP BY 1",
    "WITH a AS (SELECT region, decile_lifetime, COUNT(*) AS n, SUM(value) AS v FROM profile.customer GROUP BY 1, 2) "
    "SELECT region, SUM(v) AS value, SUM(n) AS customers FROM a GROUP BY region",
    "SELECT region, AVG(value) AS value, COUNT(email) AS customers FROM profile.customer GROUP BY region",
    "SELECT region, COUNT(DISTINCT email) AS value, COUNT(*) AS customers FROM profile.customer GROUP BY region",
    "SELECT category AS region, value, customers FROM insights.fact_value_by_decile",
    "SELECT 'a' AS region, 1 AS value",
    "SELECT dataset AS region, COUNT(*) AS value FROM lake.batches GROUP BY dataset",
]


@pytest.mark.parametrize("sql", AGGREGATES)
def test_counted_groups_and_what_is_not_about_people_pass(mine: Workbook, sql: str) -> None:
    judge_sql(mine, sql, "region", "value")


def test_people_names_the_column_that_counts(mine: Workbook) -> None:
    sql = "SELECT region, COUNT(*) AS n, SUM(value) AS value FROM profile.customer GROUP BY region"
    judge_sql(mine, sql, "region", "value", people="n")
    with pytest.raises(ChartError, match="counts no customers"):
        judge_sql(mine, sql, "region", "value", people="value")


def test_choices_of_a_filter_are_no_persons(mine: Workbook) -> None:
    with pytest.raises(ChartError, match=r"insights.few.email, which names a person .*lake.customers.email"):
        check_choices(mine, "filter 'E-mail'", "insights.few", "email")
    check_choices(mine, "filter 'Region'", "insights.few", "region")


def test_all_is_said_when_params_are_checked(mine: Workbook) -> None:
    (mine.specs / "dashboards/raw.yml").write_text(
        yaml.safe_dump(
            {
                "title": "Raw",
                "filters": [{"column": "email", "table": "insights.few", "label": "E-mail"}],
                "widgets": [w.model_dump(exclude_defaults=True) for w in SHOWN[:4]],
            }
        )
    )
    said = [problem.sentence for problem in notebooks.check(mine) if "raw.yml" in problem.sentence]
    (mine.specs / "dashboards/raw.yml").unlink()
    assert len(said) == 5
    assert "widget 'raw': it shows customer_id, which names a person (lake." in said[0]
    assert said[-1].split(": ", 1)[1].startswith("filter 'E-mail': it shows insights.few.email")


def test_every_shipped_board_passes_in_every_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path))
    files = [*sorted(PARAMS.glob("*.yml")), write_shop(tmp_path / "shop")]
    assert len(files) >= 4
    for file in files:
        workbook = Workbook.open(file)
        for name in dashboards.names(workbook):
            board = dashboards.load(workbook, name)
            for widget in board.widgets:
                check_declared(workbook, widget)
            for spec in board.filters:
                check_choices(workbook, spec.label, spec.table, spec.column)


def test_a_column_of_ones_own_can_be_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "outputs"))
    raw = yaml.safe_load((PARAMS / "airline.yml").read_text())
    raw["sources"]["customers"]["columns"]["mobile"] = {"from": "mobile", "type": "text", "personal": True}
    raw["sources"]["customers"]["columns"]["shoe"] = {"from": "shoe", "type": "text"}
    (tmp_path / "airline.yml").write_text(yaml.safe_dump(raw))
    workbook = Workbook.open(tmp_path / "airline.yml")
    for name, says in (("mobile", "names a person"), ("shoe", "single persons")):
        for table in ("lake.customers", "profile.customer"):
            with pytest.raises(ChartError, match=says):
                check_declared(workbook, of_table(table, name))


BESIDE = [
    "SELECT DISTINCT value AS x, COUNT(*) OVER () AS customers FROM derived.customer_value",
    "SELECT first_purchase_on AS x, SUM(COUNT(*)) OVER () AS customers FROM profile.customer GROUP BY 1",
    "SELECT value AS x, (SELECT COUNT(*) FROM profile.customer) AS customers FROM derived.customer_value GROUP BY 1",
    "SELECT a.value AS x, COUNT(*) AS customers FROM derived.customer_value AS a CROSS JOIN profile.customer GROUP BY 1",  # noqa: E501
    "SELECT a.value AS x, COUNT(*) AS customers FROM profile.customer AS a JOIN profile.customer AS b "
    "ON a.region = b.region GROUP BY 1",
    "SELECT STRING_AGG(CAST(value AS VARCHAR), ',') AS x, COUNT(*) AS customers FROM derived.customer_value",
    "SELECT LIST(value ORDER BY value DESC)[1:5] AS x, COUNT(*) AS customers FROM derived.customer_value",
    "SELECT UNNEST(l) AS x, customers FROM (SELECT LIST(value) AS l, COUNT(*) AS customers FROM profile.customer)",
    "SELECT 'top: ' || MAX(value) AS x, COUNT(*) AS customers FROM derived.customer_value",
    "SELECT ARG_MAX(spend, value) AS x, COUNT(*) AS customers FROM derived.customer_value",
    "SELECT MAX(occurred_at) AS x, COUNT(DISTINCT customer_id) AS customers FROM lake.purchases",
    "SELECT HISTOGRAM(value) AS x, COUNT(*) AS customers FROM derived.customer_value",
]
AS_TEXT = [
    "CAST(SUM(value) AS VARCHAR)",
    "CONCAT('in all ', SUM(value))",
    "COUNT(*) || ' customers'",
    "FORMAT('{:.2f}', SUM(value))",
    "PRINTF('%d', COUNT(*))",
]


@pytest.mark.parametrize("sql", BESIDE)
def test_neither_a_single_value_nor_a_count_of_all_beside_it_is_shown(mine: Workbook, sql: str) -> None:
    with pytest.raises(ChartError, match="single values|counts no customers|single persons"):
        judge_sql(mine, sql, "x")


@pytest.mark.parametrize("text", AS_TEXT)
def test_a_sum_is_shown_as_a_number_which_is_rounded(mine: Workbook, text: str) -> None:
    of_whom = "COUNT(*) AS customers FROM derived.customer_value AS v JOIN profile.customer AS p USING (customer_id)"
    with pytest.raises(ChartError, match="as text"):
        judge_sql(mine, f"SELECT region, {text.replace('value', 'v.value')} AS x, {of_whom} GROUP BY region", "x")
    judge_sql(mine, f"SELECT CAST(YEAR(first_purchase_on) AS VARCHAR) AS x, {of_whom} GROUP BY 1", "x")


def test_a_join_by_the_person_counts_people(mine: Workbook) -> None:
    joined = "FROM profile.customer AS a JOIN derived.customer_value AS b ON b.customer_id = a.customer_id GROUP BY 1"
    judge_sql(mine, f"SELECT a.region, SUM(b.value) AS value, COUNT(*) AS customers {joined}", "region", "value")
