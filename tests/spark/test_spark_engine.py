"""The Spark engine by itself: transactions, readers, one writer, changes of rows, and what is missing in one line."""

from __future__ import annotations

import datetime as dt
import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from sqlglot import exp

from clv_helpers import ingest, models
from clv_helpers.config.tables import METADATA_TABLES
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, parse, table
from clv_helpers.engines.engine import LakeBusyError, NothingPublished, open_engine
from clv_helpers.engines.guarded_query import limited
from clv_helpers.engines.session import Session
from clv_helpers.engines.spark import engine as spark_engine
from clv_helpers.engines.spark import session as spark_session
from clv_helpers.engines.spark.connection import SparkUnavailable, check_java
from clv_helpers.engines.spark.engine import SparkEngine
from clv_helpers.engines.spark.near import QueryRefused, near
from clv_helpers.models.table_file import read_tables
from conftest import SHOP_CSV, write_shop
from on_spark import LOCAL

ROWS = parse("SELECT 'a' AS k, 1 AS v, CAST(NULL AS DOUBLE) AS w UNION ALL SELECT 'b', 2, 0.5")


@pytest.fixture(params=[0, 1000], ids=["by Spark", "by DuckDB"])
def engine(request: pytest.FixtureRequest, java: None, tmp_path: Path) -> SparkEngine:
    """All by Spark, and what reads few rows by DuckDB from the same folders."""
    return SparkEngine(
        LOCAL, tmp_path / "spark", patience=0.3, metadata_tables=METADATA_TABLES, spark_above=request.param
    )


def values(session: Session, name: str = "derived.t") -> dict[str, int]:
    return {row["k"]: row["v"] for row in session.rows(f"SELECT k, v FROM {name}")}


def test_error_rolls_everything_back(engine: SparkEngine) -> None:
    with engine.write() as session:
        session.create_table("derived.t", ROWS)
        session.create_if_absent("lake.checkpoint", {"k": "text", "v": "integer"})
    with pytest.raises(ZeroDivisionError), engine.write() as session:
        session.create_table("derived.t", parse("SELECT 'z' AS k, 9 AS v"))
        session.run("INSERT INTO lake.checkpoint VALUES ('x', 1)")
        raise ZeroDivisionError
    with engine.write() as session:
        assert values(session) == {"a": 1, "b": 2}
        assert session.count(table("lake.checkpoint")) == 0
        session.run("DELETE FROM derived.t WHERE k = 'a'")
        session.run("INSERT INTO lake.checkpoint VALUES ('x', 1)")
        session.rollback()
        assert values(session) == {"a": 1, "b": 2}
        assert session.count(table("lake.checkpoint")) == 0


def test_reader_keeps_its_version_and_sees_only_what_is_published(engine: SparkEngine) -> None:
    with pytest.raises(NothingPublished), engine.read():
        pass
    with engine.write(publish=True) as session:
        session.create_table("derived.t", ROWS)
    with engine.read() as reader:
        with engine.write(publish=True) as session:
            session.create_table("derived.t", parse("SELECT 'c' AS k, 3 AS v"))
        assert values(reader) == {"a": 1, "b": 2}
    with engine.write() as session:
        session.create_table("derived.t", parse("SELECT 'd' AS k, 4 AS v"))
    with engine.read() as reader:
        assert values(reader) == {"c": 3}
        with pytest.raises(PermissionError, match="readers cannot change"):
            reader.create_table("derived.t", ROWS)
        for query in (
            'SELECT * FROM parquet."/etc"',
            "SELECT * FROM READ_TEXT('/etc/passwd')",
            "SELECT * FROM no.such",
            "SELECT JAVA_METHOD('java.lang.System', 'getenv', 'PATH') AS p FROM derived.t",
        ):
            with pytest.raises(reader.errors):
                reader.rows(query)


def test_second_writer_is_told_which_process_holds_the_lake(engine: SparkEngine, tmp_path: Path) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from clv_helpers.engines.engine import Engine\n"
        "with Engine(Path(sys.argv[1], 'lake.duckdb'), Path()).write(): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "spark")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(LakeBusyError, match=f"process {holder.pid} is writing"), engine.write():
            pass
        holder.kill()


def test_rows_change_as_on_duckdb(java: None, tmp_path: Path) -> None:
    """INSERT, UPDATE with and without FROM, DELETE, and NULL in their tests, on both engines."""
    statements = [
        "INSERT INTO derived.t VALUES ('c', 3, NULL)",
        "INSERT INTO derived.t (v, k) SELECT v + 10, k FROM derived.t WHERE k = 'b'",
        "UPDATE derived.t SET w = v * 2.0 WHERE w IS NULL AND v < 3",
        "UPDATE derived.t SET v = 100 WHERE k IN (SELECT k FROM derived.u) AND w > 0",
        "UPDATE derived.t SET v = u.n, w = NULL FROM derived.u AS u WHERE derived.t.k = u.k AND derived.t.v < 50",
        "DELETE FROM derived.t WHERE w < 0.7",
    ]
    found = []
    for number, (address, spark_above) in enumerate((("duckdb", 0), (LOCAL, 0), (LOCAL, 4), (LOCAL, 1000))):
        (tmp_path / str(number)).mkdir()
        with open_engine(address, tmp_path / str(number), spark_above=spark_above).write() as session:
            session.create_table("derived.t", ROWS)
            session.create_table("derived.u", parse("SELECT 'a' AS k, 7 AS n UNION ALL SELECT 'c', 8"))
            states = []
            for statement in statements:
                session.run(statement)
                states.append(sorted(map(str, session.rows("SELECT k, v, CAST(w AS DOUBLE) AS w FROM derived.t"))))
        found.append(states)
    assert found[1:] == [found[0]] * 3


def test_changed_rows_are_merged_by_key_and_tables_differ_or_not(engine: SparkEngine) -> None:
    with engine.write() as session:
        session.create_table("derived.t", ROWS)
        session.create_temporary("before", exp.select("*").from_(table("derived.t")))
        session.create_temporary("fresh", parse("SELECT 'b' AS k, 5 AS v, 0.5 AS w UNION ALL SELECT 'c', 6, NULL"))
        mark = session.version("derived.t")
        assert session.difference("derived.t", ("k",), "before", "derived.t", mark) is None
        session.change_rows("derived.t", session.difference("derived.t", ("k",), "before", "fresh", mark))
        assert values(session) == {"b": 5, "c": 6}
        assert session.version("derived.t") != mark


def test_frames_come_in_with_their_types_and_views_follow(engine: SparkEngine) -> None:
    frame = pd.DataFrame(
        {"k": ["x", None], "day": pd.to_datetime(["2024-02-29", "2024-03-01"]).astype("datetime64[us]")}
    )
    with engine.write() as session:
        session.load_frame("loaded", frame)
        session.create_table("derived.t", exp.select("*").from_("loaded"))
        session.load_frame("loaded", frame.iloc[:0])
        assert session.count(exp.to_table("loaded")) == 0
        session.create_view("derived.v", parse("SELECT k, CAST(day AS DATE) AS day FROM derived.t"), version="m")
        assert session.columns(table("derived.v")) == {"k": "VARCHAR", "day": "DATE"}
        assert session.rows("SELECT * FROM derived.v WHERE k = 'x'") == [{"k": "x", "day": dt.date(2024, 2, 29)}]
        session.create_table("derived.t", parse("SELECT 'y' AS k, CAST('2025-01-01' AS TIMESTAMP) AS day"))
        assert session.rows("SELECT * FROM derived.v") == [{"k": "y", "day": dt.date(2025, 1, 1)}]
        session.drop("derived.v")
        assert session.tables() == ["derived.t"]


def test_batches_have_folders_of_their_own_and_leave_by_them(engine: SparkEngine) -> None:
    columns = {"event_id": "text", "amount": "decimal", "_batch_id": "integer"}
    with engine.write() as session:
        session.create_if_absent("lake.purchases", columns)
        for batch in (1, 2):
            insert = bind(
                parse("INSERT INTO lake.purchases SELECT $id, 1.5, $batch"), {"id": f"e{batch}", "batch": batch}
            )
            session.run(insert)
        session.add_column("lake.purchases", "shelf", "text")
        folders = {path.name for path in (engine.folder / "tables/lake/purchases").iterdir()}
        assert folders == {"_batch_id=1", "_batch_id=2"}
        session.run("DELETE FROM lake.purchases WHERE _batch_id = 1")
        expected = [{"event_id": "e2", "amount": 1.5, "_batch_id": 2, "shelf": None}]
        assert session.rows("SELECT * FROM lake.purchases WHERE _batch_id > 0") == expected
        with pytest.raises(NotImplementedError, match="by batches only"):
            session.run("DELETE FROM lake.purchases WHERE event_id = 'e2'")


def test_what_nobody_can_read_any_more_is_deleted_an_hour_later(
    engine: SparkEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        with engine.write(publish=True) as session:
            session.create_table("derived.t", ROWS)
    folder = engine.folder / "tables" / "derived" / "t"
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setattr(spark_engine, "KEPT_SECONDS", -1)
    with engine.write() as session:
        assert values(session) == {"a": 1, "b": 2}
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("version", "said"), [("11.0.2", r"the one in JAVA_HOME \(.*\) is 11"), ("", "there is none in JAVA")]
)
def test_java_that_is_missing_or_old_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, said: str
) -> None:
    (tmp_path / "bin").mkdir()
    if version:
        java = tmp_path / "bin" / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkUnavailable, match=f"Spark needs Java 17 or later, and {said}") as raised:
        check_java()
    assert "\n" not in str(raised.value)


def test_java_is_found_on_the_path_too(java: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if os.environ.get("PATH"):
        check_java()


@pytest.mark.parametrize("address", ["sparkle", "spark://", "spark://local[x]", "sc://host", "duckdb://x"])
def test_engine_that_is_none_is_named_with_what_is_allowed(tmp_path: Path, address: str) -> None:
    with pytest.raises(ParamsError, match=r"engine.*allowed.*spark://local\[2\]"):
        Workbook.open(write_shop(tmp_path, extra=f"engine: {address}\n"))


def test_pyspark_that_is_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    engine = open_engine("spark://local[7]", tmp_path)
    with pytest.raises(SparkUnavailable, match=r"pip install 'clv-helpers\[spark\]'"), engine.write():
        pass


def test_query_that_spark_refuses_is_one_line(java: None, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    with SparkEngine(LOCAL, tmp_path / "spark").write() as session:
        session.create_table("derived.t", ROWS)
        with pytest.raises(session.errors, match="`nope` cannot be resolved") as raised:
            session.rows("SELECT nope FROM derived.t")
    assert "\n" not in str(raised.value)
    assert "SQLSTATE" not in str(raised.value)
    assert "Traceback" not in capfd.readouterr().err


EVENTS = SHOP_CSV + "d,2024-03-02,12.00\ne,2024-03-03,13.50\nf,2024-03-04,1.00\na,2024-04-05,7.25\nb,2024-05-06,8.75\n"


def test_few_rows_need_no_spark_and_more_give_the_same(
    java: None, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven events: by DuckDB while no Spark can be had; then by Spark, too, what reads more than four rows."""
    found = []
    for name, engine, spark_above in (("here", LOCAL, 1_000), ("both", LOCAL, 4), ("duckdb", "duckdb", 0)):
        params = write_shop(tmp_path / name, EVENTS, f"engine: {engine}\nspark_above: {spark_above}\n")
        workbook = Workbook.open(params.rename(params.with_name(f"{name}.yml")))
        with monkeypatch.context() as patch:
            if name == "here":
                patch.setattr(spark_session, "connect", None)
            ingest.ingest_files(workbook)
            models.refresh(workbook, "derived", "profile")
            with workbook.engine.read() as session:
                rows = {
                    each.name: sorted(map(str, session.rows(exp.select("*").from_(table(each.name)))))
                    for each in read_tables("derived", "profile")
                    if session.has_table(each.name)
                }
        found.append(rows)
    assert len(found[0]) > 25
    assert found[0] == found[1] == found[2]


def test_sql_of_others_reaches_no_file_but_the_tables(engine: SparkEngine, tmp_path: Path) -> None:
    """Also where the guard of `parse_select` did not look: the session itself has no way to other files."""
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    with engine.write(publish=True) as session:
        session.create_table("derived.t", ROWS)
    with engine.read(memory="1GB") as session:
        assert values(session) == {"a": 1, "b": 2}
        with pytest.raises(duckdb.PermissionException):
            session.connection.execute(f"SELECT * FROM READ_CSV('{tmp_path}/secret.csv')")
        with pytest.raises(duckdb.Error):
            session.connection.execute("SET enable_external_access = true")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT COUNT(*) AS n FROM derived.t", [{"n": 2}]),
        ("SELECT 1 AS n", [{"n": 1}]),
        ("SELECT x.n FROM (VALUES (2), (3)) AS x(n) LEFT JOIN derived.t AS t ON t.v = x.n WHERE t.k = 'b'", [{"n": 2}]),
        ("SELECT x.n FROM (VALUES (2)) AS x(n) LEFT JOIN derived.t AS t ON t.v = x.n", [{"n": 2}]),
    ],
)
def test_rows_of_a_temporary_table_come_once(engine: SparkEngine, query: str, expected: list[dict[str, int]]) -> None:
    """Also of a query that gives rows where the tables have none, as DuckDB's own have none."""
    with engine.write() as session:
        session.create_table("derived.t", ROWS)
        session.create_temporary("made", parse(query))
        assert session.rows("SELECT * FROM made") == expected


def test_moments_are_in_utc_for_readers_of_either_engine(engine: SparkEngine) -> None:
    with engine.write(publish=True) as session:
        session.create_table("derived.t", ROWS)
    moment = "CAST(CAST('2024-01-01 02:00:00+00' AS TIMESTAMPTZ) AS DATE)"
    with engine.read() as session:
        assert session.connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
        assert session.rows(f"SELECT DISTINCT {moment} AS d FROM derived.t") == [{"d": dt.date(2024, 1, 1)}]


def test_batches_keep_their_numbers_under_a_second_name_and_below_a_folder_with_a_value(
    java: None, tmp_path: Path
) -> None:
    for above in (0, 1000):
        folder = tmp_path / f"event_id={above}" / "spark"
        with SparkEngine(LOCAL, folder, metadata_tables=METADATA_TABLES, spark_above=above).write() as session:
            session.create_if_absent("lake.purchases", {"event_id": "text", "_batch_id": "integer"})
            session.run("INSERT INTO lake.purchases SELECT $id, $batch", id="e2", batch=2)
            session.create_temporary("before", exp.select("*").from_(table("lake.purchases")))
            for name in ("lake.purchases", "before"):
                assert session.rows(f"SELECT * FROM {name}") == [{"event_id": "e2", "_batch_id": 2}]
            session.create_table("derived.t", ROWS)
            assert list(session.columns(table("derived.t"))) == ["k", "v", "w"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT COUNT(*) AS n FROM (derived.t AS a JOIN derived.t AS b ON a.k = b.k AND a.v > 1)", [{"n": 1}]),
        ("SELECT * FROM (SELECT k, v FROM derived.t) PIVOT (SUM(v) FOR k IN ('a', 'b'))", [{"a": 1, "b": 2}]),
        ("SELECT * FROM derived.two PIVOT (SUM(v) FOR k IN ('a', 'b'))", [{"a": 1, "b": 2}]),
        ("SELECT COUNT(*) AS n FROM derived.t TABLESAMPLE 0 ROWS", [{"n": 0}]),
        ("SELECT * FROM derived.two AS x(name, number) WHERE number = 1", [{"name": "a", "number": 1}]),
    ],
)
def test_what_stands_beside_a_table_stays(engine: SparkEngine, query: str, expected: list[dict[str, int]]) -> None:
    """Joins in parentheses, pivots, samples, and names for the columns."""
    with engine.write() as session:
        session.create_table("derived.t", ROWS)
        session.create_table("derived.two", parse("SELECT k, v FROM derived.t"))
        assert session.rows(query) == expected


@pytest.mark.parametrize(
    "value",
    ["UUID()", "HASH(k)", "[SUM(v)]", "{'a b': [SUM(v)]}", "LIST(CAST(v AS UINTEGER))", "CAST('{}' AS JSON)",
     "TIMESTAMP_NS '2024-01-01 00:00:00.123456'", "[TIMESTAMPTZ '2024-01-01 00:00:00+00']", "CAST(v AS USMALLINT)"],
)  # fmt: skip
def test_spark_reads_what_duckdb_wrote_in_types_of_its_own(java: None, tmp_path: Path, value: str) -> None:
    with SparkEngine(LOCAL, tmp_path / "spark", spark_above=1000).write() as session:
        session.create_table("derived.t", ROWS)
        grouped = "GROUP BY k, v" if "(v" in value else ""
        session.create_table("derived.u", parse(f"SELECT {value} AS c FROM derived.t {grouped}"))
        here = sorted(map(str, session.rows("SELECT c FROM derived.u")))
        session.spark_above = 0
        assert sorted(map(str, session.rows("SELECT c FROM derived.u"))) == here


def test_a_query_that_duckdb_has_not_the_memory_for_is_sparks(java: None, tmp_path: Path) -> None:
    engine = SparkEngine(LOCAL, tmp_path / "spark", spark_above=10_000_000)
    numbered = "SELECT ROW_NUMBER() OVER (ORDER BY MD5(CAST(n AS VARCHAR)), n) AS place FROM derived.many"
    with engine.write(publish=True) as session:
        session.load_frame("many", pd.DataFrame({"n": range(1_500_000)}))
        session.create_table("derived.many", exp.select("*").from_("many"))
    with engine.read(memory="100MB") as session:
        with pytest.raises(duckdb.OutOfMemoryException):
            Session.rows(session, near(session, parse(f"SELECT SUM(place) AS n FROM ({numbered}) AS p")))
        with pytest.raises(duckdb.OutOfMemoryException):  # over no table: nothing that Spark could share out
            session.rows("SELECT LIST(REPEAT('x', 100000)) AS l FROM (SELECT UNNEST(RANGE(1000000)) AS i) AS r")
        assert "spark" not in vars(session)
        assert session.scalar(f"SELECT SUM(place) AS n FROM ({numbered}) AS p") == 1_500_000 * 1_500_001 // 2


def test_spark_is_started_before_the_seconds_of_a_query_are_counted(
    java: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(spark_session, "connect", started.append)
    with SparkEngine(LOCAL, tmp_path / "spark", spark_above=10).write(publish=True) as session:
        session.create_table("derived.t", ROWS)
        session.create_table("derived.small", parse("SELECT 1 AS n"))
    asked = {
        "SELECT * FROM derived.t": [LOCAL],
        "SELECT * FROM derived.small": [],
        "FROM derived.none": [],
        "SELEC": [],
    }
    for sql, expected in asked.items():
        started.clear()
        engine = SparkEngine(LOCAL, tmp_path / "spark", spark_above=1)
        with engine.read(memory="1GB") as session, limited(session, sql, "SQL"):
            assert started == expected


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_a_spark_that_ended_is_started_again(java: None, tmp_path: Path, end: str) -> None:
    """Killed, as where the machine has run out of memory; stopped by a notebook's own cell. What was written stays."""
    from pyspark import SparkContext

    engine = SparkEngine(LOCAL, tmp_path / "spark", spark_above=0)
    with engine.write() as session:
        session.create_table("derived.t", ROWS)
        assert session.scalar("SELECT SUM(v) AS v FROM derived.t") == 3
    with engine.write() as session:
        assert session.scalar("SELECT SUM(v) AS v FROM derived.t") == 3
        if end == "stopped":
            session.spark.stop()
        else:
            SparkContext._gateway.proc.kill()
            SparkContext._gateway.proc.wait()
            with pytest.raises(QueryRefused, match="refused"):
                session.scalar("SELECT MAX(v) AS v FROM derived.t")
            session.interrupt()  # of what has ended already
    with engine.write() as session:
        assert session.scalar("SELECT MAX(v) AS v FROM derived.t") == 2
