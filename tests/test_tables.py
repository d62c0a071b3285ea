"""A table is a file: its order is read from the SQL, its key is checked, its SQL runs elsewhere too."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot

from clv_helpers import models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table, to_sql
from clv_helpers.models import table_file
from clv_helpers.models.table_file import SCHEMAS, SQL_FOLDER, TableError, read_table, read_tables

ALL = read_tables(*SCHEMAS)


def test_every_file_is_a_table() -> None:
    assert len(ALL) == len(list(SQL_FOLDER.rglob("*.sql"))) >= 18


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_tables_come_after_what_they_read(each: table_file.Table) -> None:
    order = [other.name for other in ALL]
    for needed in each.depends_on & set(order):
        assert order.index(needed) < order.index(each.name)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_no_table_asks_for_the_clock_and_all_parse_in_spark(each: table_file.Table) -> None:
    text = to_sql(each.query).upper()
    assert "CURRENT_" not in text
    assert "NOW()" not in text
    assert sqlglot.parse_one(to_sql(each.query, "spark"), dialect="spark")


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_table_is_built_and_its_columns_are_documented_by_name(each: table_file.Table, airline: Workbook) -> None:
    with airline.engine.read() as session:
        columns = session.columns(table(each.name))
    assert set(each.key) <= set(columns)


def write_table(folder: Path, name: str, sql: str, header: str = "-- One row: x.\n-- Key: v\n") -> Path:
    file = folder / "own" / f"{name}.sql"
    file.parent.mkdir(exist_ok=True)
    file.write_text(header + sql)
    return file


def test_wrong_files_are_named_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"a\.sql: the header needs the lines '-- One row"):
        read_table(write_table(tmp_path, "a", "SELECT 1 AS v", header=""))
    with pytest.raises(TableError, match=r"b\.sql, line 4"):
        read_table(write_table(tmp_path, "b", "SELECT 1 AS v\nFROM WHERE"))


@pytest.mark.parametrize(
    ("sql", "grouped"),
    [
        ("SELECT a, SUM(b) AS s FROM t GROUP BY a", True),
        ("SELECT x.a, SUM(x.b) AS s FROM t AS x GROUP BY x.a", True),
        ("SELECT UPPER(a) AS a, SUM(b) AS s FROM t GROUP BY a", False),
        ("SELECT a, SUM(b) AS s FROM t GROUP BY a, b", False),
        ("SELECT a, SUM(b) AS s FROM t GROUP BY UPPER(a)", False),
        ("SELECT a, SUM(b) AS s FROM t GROUP BY a UNION ALL SELECT 1, 2", False),
        ("SELECT a, b AS s FROM t", False),
    ],
)
def test_key_needs_no_check_where_the_query_groups_by_it(tmp_path: Path, sql: str, grouped: bool) -> None:
    file = tmp_path / "t.sql"
    file.write_text(f"-- One row: a thing.\n-- Key: a\n{sql}\n")
    assert table_file.read_table(file).groups_by_key == grouped


def test_circle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path, "a", "SELECT v FROM own.b")
    write_table(tmp_path, "b", "SELECT v FROM own.a")
    monkeypatch.setattr(table_file, "SQL_FOLDER", tmp_path)
    with pytest.raises(TableError, match=r"need each other in a circle: own\.\w → own\.\w → own\.\w"):
        read_tables("own")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT 1 AS v UNION ALL SELECT 1", r"own\.t: its key \(v\) repeats 1 times and is empty 0 times"),
        ("SELECT CAST(NULL AS INT) AS v", "is empty 1 times"),
    ],
)
def test_broken_key_keeps_the_last_good_tables(
    airline: Workbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str, says: str
) -> None:
    write_table(tmp_path, "t", sql)
    monkeypatch.setattr(table_file, "SQL_FOLDER", tmp_path)
    before = airline.engine.published.stat()
    with pytest.raises(TableError, match=says):
        models.refresh(airline, "own")
    assert airline.engine.published.stat() == before
