"""What comes from a database: all of it once, whatever is pulled again, late, changed or broken off."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from clv_helpers import ingest
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.run.person import Person
from clv_helpers.run.person_files import search

PARAMS = """
title: A shop with a database
sources:
  purchases:
    from: {{database: "${{SHOP_DSN}}", {place}}}
    max_rejected_share: 1
    columns: {{customer_id: customer, occurred_at: placed_at, amount: total{more}}}
"""
TABLE = "CREATE TABLE orders (id INTEGER, customer TEXT, total NUMERIC, placed_at TEXT, changed_at TEXT)"


class Shop:
    """A workbook over an SQLite file."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, place: str, more: str = ""):
        self.database = sqlite3.connect(folder / "orders.sqlite", isolation_level=None)
        self.database.execute(TABLE)
        patch.setenv("SHOP_DSN", f"sqlite://{folder}/orders.sqlite")
        (folder / "shop.yml").write_text(PARAMS.format(place=place, more=more), encoding="utf-8")
        self.workbook = Workbook.open(folder / "shop.yml")

    def add(self, number: int, customer: str | None = "a", total: Any = 10, changed_at: str = "") -> None:
        moment = changed_at or f"2024-01-{number:02} 10:00:00"
        self.database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", (number, customer, total, moment, moment))

    def pull(self) -> list[tuple[Any, ...]]:
        """What each batch of a pull accepted and rejected."""
        return [(b.status, b.rows_accepted, b.rows_rejected) for b in ingest.ingest_files(self.workbook)]

    def count(self, name: str = "lake.purchases") -> int:
        with self.workbook.engine.write() as session:
            return session.scalar(f"SELECT COUNT(*) AS rows FROM {name}")


@pytest.fixture
def pulled(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    return lambda place, more="": Shop(tmp_path, monkeypatch, place, more)


def test_each_pull_takes_what_came_since(pulled) -> None:
    shop = pulled("table: orders, cursor: id")
    assert shop.pull() == []
    for number in range(1, 12):
        shop.add(number)
    assert shop.pull() == [("success", 11, 0)]
    assert shop.pull() == []
    shop.add(12, customer=None)  # 9 < 12, though not as text
    assert shop.pull() == [("success", 0, 1)]
    assert shop.pull() == []
    assert [batch.file for batch in ingest.batches(shop.workbook)] == [
        "purchases_to_11.parquet", "purchases_after_11_to_12.parquet",
    ]  # fmt: skip
    assert not list(shop.workbook.folder.glob("reading-*"))


def test_rows_that_became_visible_late_come_within_the_overlap(pulled) -> None:
    shop = pulled('table: orders, cursor: changed_at, overlap: "2 days"', ", event_id: id")
    for number in (1, 5, 6):
        shop.add(number)
    shop.add(7, customer=None, changed_at="2024-01-06 09:00:00")
    assert shop.pull() == [("success", 3, 1)]
    assert shop.pull() == []
    shop.add(8, changed_at="2024-01-05 09:00:00")
    shop.add(9, changed_at="2024-01-03 09:00:00")  # too late
    assert shop.pull() == [("success", 1, 0)]
    shop.add(10)
    shop.database.execute("UPDATE orders SET total = 12 WHERE id = 6")  # of an older version it counts once
    assert shop.pull() == [("success", 1, 1)]
    assert shop.pull() == []
    assert (shop.count(), shop.count("lake.rejected_rows")) == (5, 2)


def test_a_changed_row_counts_once_by_its_event_id(pulled) -> None:
    shop = pulled("table: orders, cursor: changed_at", ", event_id: id")
    shop.add(1)
    shop.pull()
    shop.database.execute("UPDATE orders SET total = 12, changed_at = '2024-02-01 10:00:00'")
    assert shop.pull() == [("success", 0, 1)]
    assert shop.count() == 1


def test_without_a_cursor_what_came_before_is_passed_over(pulled) -> None:
    shop = pulled("table: orders", ", event_id: id")
    shop.add(1)
    assert shop.pull() == [("success", 1, 0)]
    assert shop.pull() == []
    shop.add(2)
    assert shop.pull() == [("success", 1, 0)]
    assert shop.count() == 2


def test_equal_rows_of_customers_are_as_many_as_they_are(pulled, tmp_path: Path) -> None:
    shop = pulled("table: orders, cursor: id")
    with (tmp_path / "shop.yml").open("a") as params:
        params.write('  customers: {from: {database: "${SHOP_DSN}", table: people}, columns: {customer_id: customer}}')
    shop.database.executescript("CREATE TABLE people (customer TEXT); INSERT INTO people VALUES ('a'), ('a'), ('b')")
    shop.workbook = Workbook.open(tmp_path / "shop.yml")
    assert shop.pull() == [("success", 3, 0)]
    shop.database.execute("INSERT INTO people VALUES ('a')")
    assert shop.pull() == [("success", 1, 0)]
    assert shop.pull() == []


def test_a_pull_that_is_taken_back_comes_again(pulled) -> None:
    shop = pulled('table: orders, cursor: changed_at, overlap: "2 days"', ", event_id: id")
    shop.add(1)
    shop.pull()
    shop.add(2)
    shop.pull()
    ingest.revert(shop.workbook, 2)
    assert shop.pull() == [("success", 1, 0)]
    assert shop.count() == 2


def test_hashes_of_a_person_are_told_and_go_once_the_rows_are_out_of_the_database(pulled) -> None:
    shop = pulled("table: orders", ", event_id: id")
    shop.add(1, "gone")
    shop.pull()
    told = search(shop.workbook, Person("gone", {})).unreadable
    assert any("hashes of rows of sources.purchases" in str(each) for each in told)
    with shop.workbook.engine.write() as session:
        hashes = {row["row_hash"] for row in session.rows("SELECT row_hash FROM lake.pulled_rows")}
    assert len(hashes) == 1
    shop.database.execute("DELETE FROM orders")
    for number in (2, 3):
        shop.add(number)
        shop.pull()
    with shop.workbook.engine.write() as session:
        assert not hashes & {row["row_hash"] for row in session.rows("SELECT row_hash FROM lake.pulled_rows")}


def test_where_no_row_comes_twice_no_hash_is_kept(pulled) -> None:
    shop = pulled("table: orders, cursor: id")
    shop.add(1, "gone")
    shop.pull()
    assert shop.count("lake.pulled_rows") == 0
    assert not any("hashes" in str(each) for each in search(shop.workbook, Person("gone", {})).unreadable)


def test_a_query_of_ones_own(pulled) -> None:
    shop = pulled("query: orders.sql, cursor: n")
    shop.workbook.specs.mkdir()
    (shop.workbook.specs / "orders.sql").write_text(
        "SELECT id AS n, customer, total, placed_at FROM orders WHERE total > 0 -- paid\n;"
    )
    shop.add(1)
    shop.add(2, total=0)
    assert shop.pull() == [("success", 1, 0)]
    (shop.workbook.specs / "orders.sql").write_text("DELETE FROM orders")
    with pytest.raises(UserError, match="single SELECT"):
        shop.pull()


REFUSED = {
    "a cursor that is not there": ("table: orders, cursor: nope", "nope"),
    "a cursor that is empty": ("table: orders, cursor: customer", "COALESCE"),
    "an overlap without keys": ('table: orders, cursor: changed_at, overlap: "2 days"', "event_id"),
    "no cursor and no keys": ("table: orders", "event_id"),
    "an overlap of numbers": ('table: orders, cursor: id, overlap: "2 days"', "no moments"),
    "a table that is not there": ("table: nowhere", "nowhere|no such table"),
    "a query that is not there": ("query: nowhere.sql", "no such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_pulled_is_said(pulled, case: str) -> None:
    place, said = REFUSED[case]
    shop = pulled(place, ", event_id: id" if "keys" not in case else "")
    shop.add(1, customer=None)
    with pytest.raises(UserError, match=said):
        shop.pull()
    assert shop.count() == 0


def test_another_cursor_is_no_way_on(pulled, tmp_path: Path) -> None:
    shop = pulled("table: orders, cursor: id")
    shop.add(1)
    shop.pull()
    file = tmp_path / "shop.yml"
    file.write_text(file.read_text().replace("cursor: id", "cursor: changed_at"))
    with pytest.raises(UserError, match="went by id"):
        ingest.ingest_files(Workbook.open(file))


@pytest.mark.parametrize(
    "source",
    [
        "path: a.csv, from: {database: 'sqlite:///a', table: a}",
        "namespace: A",
        "from: {database: 'sqlite:///a'}",
        "from: {database: 'sqlite:///a', table: a, query: b.sql}",
        "from: {database: 'sqlite:///a', table: a, overlap: 2 days}",
        "from: {database: 'sqlite:///a', table: a, cursor: b, overlap: two days}",
        "from: {database: 'mysql://a:secret@h/a', table: a}",
    ],
)
def test_params_that_say_no_one_place(outputs: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "shop.yml").write_text(f"title: A shop\nsources:\n  purchases: {{{source}}}\n")
    with pytest.raises(ParamsError) as error:
        Workbook.open(tmp_path / "shop.yml")
    assert "secret" not in str(error.value)


def test_check_asks_the_database(pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    from clv_helpers.run.row_check import row_findings

    shop = pulled("table: orders, cursor: id", ", product: Spent")
    shop.add(1)
    (problem,) = ingest.source_problems(shop.workbook)
    assert "'Spent'" in problem and "customer" in problem
    monkeypatch.setenv("SHOP_DSN", "sqlite:///nowhere.sqlite")
    (problem,) = ingest.source_problems(shop.workbook)
    assert "no such file" in problem
    refused, _ = row_findings(shop.workbook)
    assert "no such file" in refused[0].value
    assert ingest.batches(shop.workbook) == []


def test_a_new_workbook_from_a_table(pulled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from clv_helpers.cli import app

    shop = pulled("table: orders")
    for number in range(1, 25):
        shop.add(number, customer=f"c{number % 5}", total=f"{number}.50")
    shop.database.execute("CREATE TABLE people (name TEXT)")
    monkeypatch.chdir(tmp_path)
    asked = ["new", "made", "--from", "${SHOP_DSN}", "--yes", "--no-run"]
    assert "orders, people" in str(CliRunner().invoke(app, asked).exception)
    done = CliRunner().invoke(app, [*asked, "--table", "orders"])
    assert done.exit_code == 0, done.output
    made = Workbook.open(tmp_path / "made.yml")
    said = made.params.sources["purchases"].database
    assert said.database == "${SHOP_DSN}" and (said.table, said.cursor, said.overlap) == (
        "orders", "changed_at", "2 days",
    )  # fmt: skip
    assert [batch.rows_accepted for batch in ingest.ingest_files(made)] == [24]
