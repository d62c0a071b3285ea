"""Purchases from a Snowflake, as far as fakesnow speaks its protocol: the driver is the real one, the server is not."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import adbc_driver_manager
import adbc_driver_snowflake
import pytest

from clv_helpers import ingest
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.engines.databases import DatabaseError, opened
from conftest import absent

PARAMS = """
title: A shop with its orders in Snowflake
sources:
  purchases:
    from: {database: "${SHOP_DSN}", table: ORDERS, cursor: CHANGED_AT, overlap: "2 days"}
    columns: {event_id: ID, customer_id: CUSTOMER, occurred_at: PLACED_AT, amount: TOTAL}
"""
TABLE = """
    CREATE TABLE shop.public.orders (
        id INT, customer TEXT, total NUMBER(18, 2), placed_at DATETIME, changed_at DATETIME
    )
"""
ADD = """
    INSERT INTO shop.public.orders VALUES
        ({n}, '{who}', {total}, '2024-01-{n:02} 10:00:00', '2024-01-{n:02} 10:00:00.123456')
"""


@pytest.fixture(scope="module")
def snowflake() -> Iterator[tuple[str, Callable[[str], None]]]:
    """The address of a database `shop`, and what runs a statement in it."""
    program = Path(os.environ.get("CLV_FAKESNOW", ROOT / ".fakesnow" / "bin" / "fakesnow"))
    if not program.exists():
        absent("fakesnow is not installed (make .fakesnow/installed)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([program, "-s", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None and socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.2)
        options = {"account": "acme", "uri.protocol": "http", "uri.host": "127.0.0.1", "uri.port": str(port)}
        given = {f"adbc.snowflake.sql.{name}": text for name, text in options.items()}
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(
                adbc_driver_snowflake.connect(db_kwargs={**given, "username": "fake", "password": "snow"})
            )
            connection = stack.enter_context(adbc_driver_manager.AdbcConnection(database))

            def run(sql: str) -> None:
                with adbc_driver_manager.AdbcStatement(connection) as statement:
                    statement.set_sql_query(sql)
                    statement.execute_update()

            run("CREATE DATABASE shop")
            run("CREATE SCHEMA IF NOT EXISTS shop.public")
            yield f"snowflake://fake:snow@acme/SHOP/PUBLIC?protocol=http&host=127.0.0.1&port={port}", run
    finally:
        server.kill()
        server.wait()


def test_each_pull_takes_what_came_since(snowflake, outputs, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, run = snowflake
    run(TABLE)
    for number in range(1, 12):
        run(ADD.format(n=number, who="ab"[number % 2], total=f"{number}.01"))
    monkeypatch.setenv("SHOP_DSN", address)
    (tmp_path / "shop.yml").write_text(PARAMS, encoding="utf-8")
    workbook = Workbook.open(tmp_path / "shop.yml")
    assert [batch.rows_accepted for batch in ingest.ingest_files(workbook)] == [11]
    assert ingest.ingest_files(workbook) == []
    run(ADD.format(n=12, who="c", total="0.10"))
    assert [batch.rows_accepted for batch in ingest.ingest_files(workbook)] == [1]
    with workbook.engine.write() as session:
        (total,) = session.rows("SELECT SUM(amount) AS total, MAX(occurred_at) AS last FROM lake.purchases")
    assert total["total"] == Decimal("66.21")
    assert f"{total['last']}" == "2024-01-12 10:00:00"
    with opened(address, "database") as database:
        assert database.tables() == ["PUBLIC.ORDERS"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("?protocol", "?portocol=1&protocol"), "has 'portocol' after its [?]; allowed: warehouse, role"),
        (("port=", "port=1"), "acme does not answer"),
    ],
)
def test_what_cannot_be_opened_is_said(snowflake, change: tuple[str, str], said: str) -> None:
    with pytest.raises(DatabaseError, match=said) as error, opened(snowflake[0].replace(*change), "database"):
        pass
    assert "snow@" not in str(error.value)


def test_nothing_is_written_to_it(snowflake) -> None:
    with pytest.raises(DatabaseError, match="is read and not written to"), opened(snowflake[0], "database", True):
        pass
