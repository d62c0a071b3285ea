"""An analyst's SQL answers, and can neither change anything, nor reach files, network or this process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import insights
from clv_helpers.config.workbook import Workbook
from clv_helpers.insights import QueryError
from clv_helpers.insights.analyst_sql import exact

CLV = str(Path(sys.executable).with_name("clv"))
MANY = "SELECT a.day AS one, b.day AS other FROM derived.customer_day AS a CROSS JOIN derived.customer_day AS b"
ESCAPES = [
    "COPY (SELECT 1) TO '{file}'",
    "COPY derived.summary FROM '{file}'",
    "ATTACH '{file}' AS other",
    "DETACH store",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "USE memory",
    "CALL pragma_version()",
    "EXPORT DATABASE '{file}'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMPORARY TABLE t AS SELECT 1",
    "CREATE SECRET s (TYPE s3)",
    "DROP TABLE derived.summary",
    "DELETE FROM derived.summary",
    "UPDATE derived.summary SET customers = 0",
    "INSERT INTO derived.summary SELECT * FROM derived.summary",
    "MERGE INTO derived.summary USING derived.as_of ON FALSE WHEN MATCHED THEN DELETE",
    "CHECKPOINT",
    "BEGIN",
    "EXECUTE something",
    "EXPLAIN ANALYZE SELECT 1",
    "VACUUM",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE derived.summary",
    "SELECT 1 INTO t",
    "WITH gone AS (DELETE FROM derived.summary RETURNING *) SELECT * FROM gone",
    "WITH new AS (INSERT INTO derived.summary SELECT 1 RETURNING *) SELECT * FROM new",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "FROM '{file}'",
    "SELECT * FROM '/etc/passwd'",
    "SELECT (SELECT MAX(content) FROM read_text('{file}')) AS stolen",
    "SELECT * FROM derived.summary WHERE EXISTS (SELECT 1 FROM glob('/etc/*'))",
    "WITH a AS (SELECT * FROM read_text('{file}')) SELECT * FROM a",
    "SELECT * FROM derived.summary POSITIONAL JOIN read_text('{file}')",
    "SELECT * FROM derived.summary, LATERAL (SELECT * FROM read_text('{file}'))",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
    "SELECT * FROM query_table('{file}')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{file}.log'}})",
    "SELECT * FROM enable_profiling(format = 'json', save_location = '{file}.profile')",
    "SELECT * FROM 'http://127.0.0.1:9/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM sqlite_scan('{file}', 't')",
    "SELECT * FROM secret",
    "SELECT getenv('HOME')",
    "SELECT * FROM main.secret",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_no_way_out(airline: Workbook, tmp_path: Path, sql: str, capfd: pytest.CaptureFixture[str]) -> None:
    file, secret = tmp_path / "secret.csv", pd.DataFrame({"stolen": [1]})
    file.write_text("stolen\n1\n")
    before = airline.engine.published.read_bytes()
    with pytest.raises(QueryError) as error:
        insights.query(airline, sql.format(file=file))
    assert str(error.value).startswith("SQL")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [file]
    assert airline.engine.published.read_bytes() == before
    assert len(secret) == 1
    assert capfd.readouterr() == ("", "")  # nor does a library speak past us


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM secret",
        "SELECT * FROM '{file}'",
        "SELECT * FROM enable_profiling(format = 'json', save_location = '{file}.profile')",
        "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{file}.log'}})",
        "COPY (SELECT 1) TO '{file}.copy'",
        "ATTACH '{file}.db' AS other",
        "SET memory_limit = '100GB'",
        "INSTALL httpfs",
    ],
)
def test_the_connection_alone_holds_too(airline: Workbook, tmp_path: Path, sql: str) -> None:
    """Behind the parser there is a second wall: the same without it."""
    import duckdb

    file, secret = tmp_path / "secret.csv", pd.DataFrame({"stolen": [1]})
    file.write_text("stolen\n1\n")
    with airline.engine.read(memory="1GB") as session, pytest.raises(duckdb.Error):
        session.connection.execute(sql.format(file=file)).fetchall()
    assert list(tmp_path.iterdir()) == [file]
    assert len(secret) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT category, SUM(customers) AS n FROM insights.fact_value_by_decile GROUP BY ALL ORDER BY n",
        "FROM derived.summary",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a UNION ALL SELECT 2",
        "(SELECT 1 AS x) EXCEPT (SELECT 2)",
        "SELECT * FROM (VALUES (1), (2)) AS v(i)",
        "SELECT * FROM range(3) AS r(i), UNNEST([1, 2]) AS u(j)",
        "SELECT table_name FROM information_schema.tables",
        "SELECT 1 AS x -- a comment; with a semicolon",
        "SELECT ';' AS x;",
    ],
)
def test_a_select_is_answered(airline: Workbook, sql: str) -> None:
    answer = insights.query(airline, sql)
    assert len(answer.frame) > 0
    assert answer.cut_at is None
    assert answer.note == ""


def test_rows_are_cut_off_in_order_and_it_is_said(airline: Workbook) -> None:
    answer = insights.query(airline, "SELECT i FROM range(5000) AS r(i) ORDER BY i DESC", rows=10)
    assert list(answer.frame["i"]) == list(range(4999, 4989, -1))
    assert answer.note == "cut off after 10 rows: there are more"
    shown = answer._repr_mimebundle_()
    assert "Cut off after 10 rows" in shown["text/html"]
    assert "cut off" in shown["text/plain"]
    exactly = insights.query(airline, "SELECT i FROM range(10) AS r(i)", rows=10)
    assert exactly.cut_at is None


def test_time_is_cut_off(airline: Workbook) -> None:
    started = time.monotonic()
    with pytest.raises(QueryError, match=r"SQL: it took longer than 0\.3 seconds and was stopped; ask for less, or"):
        insights.query(airline, f"SELECT COUNT(*) FROM ({MANY}) AS m CROSS JOIN derived.customer_day AS c", seconds=0.3)
    assert time.monotonic() - started < 20  # not a benchmark: the whole would take hours


def test_memory_is_cut_off(airline: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clv_helpers.insights.analyst_sql.MEMORY", "200MB")
    with pytest.raises(QueryError, match="SQL: it needs more than 200MB of memory; filter or aggregate first"):
        insights.query(airline, "SELECT LIST(r.i || REPEAT('x', 1000)) FROM range(1000000) AS r(i)")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT\n  customers,\n  nope\nFROM derived.summary", 'line 3: Referenced column "nope" not found'),
        ("SELECT 1\nFROM derived.sumary", "line 2: Table with name sumary does not exist"),
        ("SELECT\n  nosuch(1)", "line 2: Scalar Function with name nosuch does not exist"),
        ("SELECT customers,\n  FROM WHERE x", "line 2: "),
        ("SELECT 'open", "no SQL ("),
        ("", "it begins with nothing; allowed: a single SELECT"),
        ("SELECT CAST('x' AS INT)", "Could not convert string 'x' to INT32"),
    ],
)
def test_what_fails_is_said_with_its_line(airline: Workbook, sql: str, said: str) -> None:
    with pytest.raises(QueryError) as error:
        insights.query(airline, sql, file=Path("ask.sql"))
    assert str(error.value).startswith("ask.sql")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_two_may_read_at_once(airline: Workbook) -> None:
    with airline.engine.read() as one, airline.engine.read(memory="1GB") as other, airline.engine.read() as third:
        counts = {each.scalar("SELECT customers FROM derived.summary") for each in (one, other, third)}
    assert len(counts) == 1


def test_from_a_file_by_the_command(workbook: Workbook, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([CLV, "sql", str(workbook.file), *arguments], capture_output=True, text=True)

    file = tmp_path / "ask.sql"
    file.write_text("SELECT i\nFROM range(5) AS r(i)")
    done = run("--file", str(file), "--rows", "2", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"rows": [{"i": 0}, {"i": 1}], "cut_off_after": 2}
    assert done.stderr == "cut off after 2 rows: there are more\n"
    translated = run("SELECT 1 AS one", "--to", "postgres", "--json")
    assert json.loads(translated.stdout) == {"to": "postgres", "sql": "SELECT\n  1 AS one"}
    file.write_text("SELECT i\nFROM nowhere.at_all")
    done = run("--file", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{file}, line 2: ")
    assert "allowed: a SELECT, as text" in run("--file", str(tmp_path / "none.sql")).stderr
    assert "allowed: SQL, or --file" in run().stderr


def test_what_is_shown_of_people_is_counted_groups(airline: Workbook) -> None:
    sql = "SELECT region, COUNT(*) AS customers, SUM(value) AS value FROM profile.customer GROUP BY region"
    shown, real = insights.query(airline, sql).frame, exact(airline, sql).frame
    assert set(shown["customers"] % 5) == {0}
    assert set(shown["region"]) <= set(real["region"])
    assert (shown["customers"] >= 10).all()
    assert not set(shown["value"]) & set(real["value"])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT customer_id FROM profile.customer",
        "SELECT MD5(email) AS x, COUNT(*) AS customers FROM profile.customer GROUP BY 1",
        "SELECT region, value FROM profile.customer",
        "SELECT region, SUM(value) AS value, 5000 AS customers FROM profile.customer GROUP BY region",
    ],
)
def test_single_persons_are_looked_at_in_one_place_alone(airline: Workbook, sql: str) -> None:
    with pytest.raises(QueryError, match=r"insights\.people"):
        insights.query(airline, sql)
    assert len(insights.people(airline, sql).frame) > 0
    batch = Workbook(airline.file, airline.params, run="20240101T000000")
    said = insights.people(batch, "SELECT no such thing")  # which is not read at all
    assert said.bundle["text/plain"].startswith("Single customers are looked at live")
