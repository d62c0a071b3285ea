"""Real databases, opened by address: what comes is exact, what goes is all or nothing, and no password is said."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from mariadb_server import MariaDb, mariadb
from postgres_server import Postgres, postgres, programs
from sqlglot import exp

from clv_helpers.engines.databases import Database, DatabaseError, one_select, opened
from clv_helpers.engines.dialect import table
from conftest import absent

ORDERS = """
    CREATE TABLE orders (id BIGINT PRIMARY KEY, customer VARCHAR(20), total DECIMAL(20, 4), placed_at {moment});
    INSERT INTO orders VALUES (1, '007', 12345678901234.5678, '2024-01-01 12:00:00{zone}');
    INSERT INTO orders VALUES (2, NULL, 0.1, '2024-06-01 12:00:00{zone}');
"""
KINDS = ("postgres", "mariadb", "sqlite", "duckdb")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    found = programs()
    if found is None:
        absent("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="clv_postgres_") as data, postgres(found, Path(data)) as running:
        running.run(ORDERS.format(moment="TIMESTAMPTZ", zone="+02"))
        yield running


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaDb]:
    with tempfile.TemporaryDirectory(prefix="clv_mariadb_") as data, mariadb(Path(data)) as running:
        running.run("SET time_zone = '+02:00';" + ORDERS.format(moment="TIMESTAMP", zone=""))
        yield running


@pytest.fixture(scope="module")
def addresses(server: Postgres, maria: MariaDb, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same orders in four databases; only the servers know the moment's zone."""
    import sqlite3

    folder = tmp_path_factory.mktemp("files")
    with sqlite3.connect(folder / "shop.sqlite") as connection:
        connection.executescript(ORDERS.format(moment="TEXT", zone="").replace("12345678901234.5678", "1234.5678"))
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute(ORDERS.format(moment="TIMESTAMP", zone=""))
    return {
        "postgres": f"postgresql://postgres@/postgres?host={server.socket}",
        "mariadb": maria.address,
        "sqlite": f"sqlite://{folder}/shop.sqlite",
        "duckdb": f"duckdb://{folder}/shop.duckdb",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_exactly(kind: str, addresses: dict[str, str], tmp_path: Path) -> None:
    with opened(addresses[kind], "here") as database:
        assert any(name.endswith("orders") for name in database.tables())
        assert database.columns(table("orders")) == ["id", "customer", "total", "placed_at"]
        count = database.spool(exp.select("*").from_(table("orders")), tmp_path / "rows.parquet")
    assert count == 2 and [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]
    rows = duckdb.sql(
        f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (SELECT * FROM '{tmp_path}/rows.parquet' ORDER BY id)"
    ).fetchall()
    assert [row[1] for row in rows] == ["007", None]
    assert rows[0][2] == ("1234.5678" if kind == "sqlite" else "12345678901234.5678")
    moments = {"postgres": "10:00:00+00", "mariadb": "10:00:00+00:00"}
    assert rows[0][3] == f"2024-01-01 {moments.get(kind, '12:00:00')}"


def test_money_and_ranges_come_as_they_read(addresses: dict[str, str], server: Postgres, tmp_path: Path) -> None:
    server.run(
        "CREATE TABLE odd AS SELECT 12.5::money AS paid, '[1,3)'::int4range AS days, '{\"a\": 1}'::jsonb AS more"
    )
    with opened(addresses["postgres"], "here") as database:
        database.spool(exp.select("*").from_("odd"), tmp_path / "odd.parquet")
    assert duckdb.sql(f"SELECT * FROM '{tmp_path}/odd.parquet'").fetchall() == [("12.50", "[1,3)", '{"a": 1}')]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_changed_unless_asked_for(kind: str, addresses: dict[str, str]) -> None:
    with opened(addresses[kind], "here") as database, pytest.raises(DatabaseError, match="(?i)read.?only"):
        database.run("DELETE FROM orders")


@pytest.mark.parametrize("kind", KINDS)
def test_a_transaction_is_all_or_nothing(kind: str, addresses: dict[str, str]) -> None:
    def added(database: Database, fails: bool) -> None:
        with database.transaction():
            database.load("sent", ["a", "b"], [("x'\\", None), ("%s", "é")])
            if fails:
                database.run("INSERT INTO nowhere VALUES (1)")

    with opened(addresses[kind], "here", writable=True) as database:
        database.run("CREATE TEMPORARY TABLE sent (a VARCHAR(50), b VARCHAR(50))")
        with pytest.raises(DatabaseError, match="here: the database says"):
            added(database, fails=True)
        assert not database.rows(exp.select("*").from_("sent"))
        added(database, fails=False)
        assert database.rows(exp.select("*").from_("sent")) == [{"a": "x'\\", "b": None}, {"a": "%s", "b": "é"}]


WRONG = {
    "a kind we do not know": ("oracle://a:tiger-9@h/x", "oracle"),
    "no server": ("postgresql://a:tiger-9@127.0.0.1:1/x", "127.0.0.1:1 does not answer"),
    "no server of MySQL": ("mysql://a:tiger-9@127.0.0.1:1/x", "127.0.0.1:1 does not answer"),
    "a password with an @": ("postgresql://a:tig@er-9@127.0.0.1:1/x", "%40"),
    "a password with a slash": ("mysql://a:ti/ger-9@127.0.0.1:1/x", "%2F"),
    "no file": ("sqlite:///nowhere/x.db", "no such file"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_address_is_one_sentence(wrong: str) -> None:
    address, said = WRONG[wrong]
    with pytest.raises(DatabaseError) as error, opened(address, "sources.purchases.from.database"):
        pass
    assert said in str(error.value) and "er-9" not in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_password_is_said_without_it(addresses: dict[str, str]) -> None:
    wrong = addresses["mariadb"].replace("a-secret", "tiger")
    with pytest.raises(DatabaseError, match="does not let shop in") as error, opened(wrong, "here"):
        pass
    assert "tiger" not in str(error.value)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM a",
        "SELECT 1; SELECT 2",
        "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
        "SELECT FROM WHERE",
    ],
)
def test_a_query_is_one_select(sql: str) -> None:
    with pytest.raises(DatabaseError, match=r"orders\.sql"):
        one_select(sql, "postgres", "orders.sql")


def test_an_error_of_the_database_names_no_value(addresses: dict[str, Any], server: Postgres) -> None:
    query = one_select("SELECT CAST(customer || 'ada@x.org' AS INT) FROM orders", "postgres", "q")
    with opened(addresses["postgres"], "here") as database, pytest.raises(DatabaseError) as error:
        database.rows(query)
    assert "007" not in str(error.value) and "invalid input syntax" in str(error.value)
