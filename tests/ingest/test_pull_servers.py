"""Pulls from a real PostgreSQL and a real MariaDB: values as they are meant, each once, whoever dies in between."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mariadb_server import mariadb
from postgres_server import postgres, programs

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines import database, database_kinds
from clv_helpers.engines.databases import DatabaseError
from conftest import absent, often

PARAMS = """
title: A shop with a server
time_zone: Europe/Berlin
sources:
  purchases:
    from: {{database: "${{SHOP_DSN}}", {place}}}
    max_rejected_share: 1
    columns:
      customer_id: customer
      event_id: id
      occurred_at: placed_at
      amount: total
      n: {{from: id, type: integer}}
      more: {{from: more, type: text}}
"""
ORDERS = """
    CREATE TABLE orders (id BIGINT, customer VARCHAR(20), total DECIMAL(20, 4), placed_at {moment}, more {json});
    INSERT INTO orders VALUES (1, '007', 12345678901.2345, '2024-07-01 12:00:00{zone}', '{{"a": 1}}');
"""
SLOW = {
    "postgres": "SELECT o.*, PG_SLEEP(0.05)::text AS slept FROM orders AS o, GENERATE_SERIES(1, 2000)",
    "mariadb": "SELECT o.*, SLEEP(0.05) AS slept FROM orders AS o, seq_1_to_2000",
}
# rows of more than the server's buffer, so that each is sent when it is there
TALKING = {
    "postgres": "SELECT o.*, REPEAT('x', 20000) AS t, PG_SLEEP(.05)::text AS s FROM orders o, GENERATE_SERIES(1, 60)",
    "mariadb": "SELECT o.*, REPEAT('x', 20000) AS t, SLEEP(0.05) AS s FROM orders AS o, seq_1_to_60",
}
CUT = {
    "postgres": "SELECT PG_TERMINATE_BACKEND(pid) FROM pg_stat_activity WHERE query ~* 'pg_sleep[(]0?.05' "
    "AND pid <> PG_BACKEND_PID() AND state = 'active'",
    "mariadb": "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE info LIKE '%SLEEP(0.05)%' "
    "AND id <> CONNECTION_ID()",
}
KILLS = often(40, 12)
processes = multiprocessing.get_context("forkserver")


@dataclass
class Server:
    """A running server of either kind."""

    kind: str
    address: str
    run: Callable[[str], str]
    process: int

    def is_asked(self) -> bool:
        """Whether the slow query runs."""
        return bool(self.run(CUT[self.kind].replace("PG_TERMINATE_BACKEND(pid)", "pid") + ";").strip())

    def cut(self) -> bool:
        """End the connection that runs the slow query; whether there was one."""
        found = self.run(CUT[self.kind] + ";")
        if self.kind == "mariadb" and found.strip():
            self.run(found)
        return bool(found.strip())


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix=f"clv_{request.param}_") as data:
        if request.param == "mariadb":
            with mariadb(Path(data)) as running:
                yield Server("mariadb", running.address, running.run, running.process.pid)
            return
        found = programs()
        if found is None:
            absent("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        with postgres(found, Path(data)) as running:
            process = int((Path(data) / "data" / "postmaster.pid").read_text().split()[0])
            yield Server("postgres", f"postgresql://postgres@/postgres?host={data}", running.run, process)


@pytest.fixture
def pulled(server: Server, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Gives a workbook over the orders of the server, by what its params say of the place."""
    is_postgres = server.kind == "postgres"
    kinds = ("TIMESTAMPTZ", "JSONB", "+00") if is_postgres else ("TIMESTAMP NULL", "JSON", "")
    server.run("DROP TABLE IF EXISTS orders;")
    zone = "" if is_postgres else "SET time_zone = '+00:00';"
    server.run(zone + ORDERS.format(moment=kinds[0], json=kinds[1], zone=kinds[2]))
    monkeypatch.setenv("SHOP_DSN", server.address)

    def opened(place: str) -> Workbook:
        (tmp_path / "shop.yml").write_text(PARAMS.format(place=place), encoding="utf-8")
        return Workbook.open(tmp_path / "shop.yml")

    return opened


def rows(workbook: Workbook) -> list[dict]:
    with workbook.engine.write() as session:
        return session.rows("SELECT * FROM lake.purchases ORDER BY n")


def test_values_are_what_the_database_means(server: Server, pulled) -> None:
    workbook = pulled('table: orders, cursor: placed_at, overlap: "2 days"')
    ingest.ingest_files(workbook)
    server.run("INSERT INTO orders VALUES (2, 'x', 1, '2024-07-01 11:59:59', NULL), (3, 'x', 1, '2024-06-01', NULL);")
    ingest.ingest_files(workbook)
    first, second = rows(workbook)
    assert (first["customer_id"], str(first["amount"])) == ("007", "12345678901.2345")
    assert str(first["occurred_at"]) == "2024-07-01 14:00:00"  # noon in UTC, at Berlin's clocks
    assert first["more"].replace(" ", "") == '{"a":1}'
    assert second["n"] == 2


def test_a_connection_that_breaks_off_leaves_nothing(server: Server, pulled) -> None:
    workbook = pulled("query: orders.sql, cursor: id")
    workbook.specs.mkdir()
    file = workbook.specs / "orders.sql"
    file.write_text(SLOW[server.kind])
    cuts = []

    def cut() -> None:
        deadline = time.monotonic() + 30
        while not cuts and time.monotonic() < deadline:
            if server.cut():
                cuts.append(True)
            time.sleep(0.05)

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(DatabaseError, match=r"went away|interrupted"):
        ingest.ingest_files(workbook)
    thread.join()
    assert cuts and not rows(workbook) and not ingest.batches(workbook)
    assert not list(workbook.folder.glob("reading-*"))
    file.write_text("SELECT * FROM orders")
    assert [batch.rows_accepted for batch in ingest.ingest_files(workbook)] == [1]


def stopped(server: Server) -> list[int]:
    """The processes of a server, which are stopped: the kernel accepts for it, and nobody says anything."""
    children = subprocess.run(["pgrep", "-P", str(server.process)], capture_output=True, text=True, check=False)
    found = [server.process, *map(int, children.stdout.split())]
    for each in found:
        os.kill(each, signal.SIGSTOP)
    return found


def pulled_while(server: Server, workbook: Workbook, is_time: Callable[[], bool]) -> None:
    """A pull while the server is stopped from some moment on."""
    halted: list[int] = []

    def halt() -> None:
        deadline = time.monotonic() + 30
        while not is_time() and time.monotonic() < deadline:
            time.sleep(0.05)
        halted.extend(stopped(server))

    thread = threading.Thread(target=halt)
    thread.start()
    if is_time():
        thread.join()
    try:
        ingest.ingest_files(workbook)
    finally:
        thread.join()
        for each in halted:
            os.kill(each, signal.SIGCONT)


@pytest.mark.parametrize("when", ["before", "within"])
def test_a_server_that_says_nothing_is_not_waited_for(
    server: Server, pulled, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts and is silent: the pull ends by its limit in one sentence, and the next one is whole."""
    for module in (database, database_kinds) if when == "before" else ():  # a busy machine takes its time to connect
        monkeypatch.setattr(module, "CONNECT_SECONDS", 2)
    workbook = pulled("query: orders.sql, timeout: 2 seconds")
    workbook.specs.mkdir()
    file = workbook.specs / "orders.sql"
    file.write_text(TALKING[server.kind].replace("60", "2000"))
    sentence = "does not answer within 2 seconds" if when == "before" else "has said nothing for 2 seconds"
    begun = time.monotonic()
    with pytest.raises(DatabaseError, match=sentence):
        pulled_while(server, workbook, server.is_asked if when == "within" else lambda: True)
    assert time.monotonic() - begun < 30
    assert not ingest.batches(workbook)
    file.write_text("SELECT * FROM orders")
    assert [batch.rows_accepted for batch in ingest.ingest_files(workbook)] == [1]


def test_a_server_that_goes_on_talking_is_listened_to(server: Server, pulled) -> None:
    """For longer than the limit: it is of silence."""
    workbook = pulled("query: orders.sql, timeout: 1 second")
    workbook.specs.mkdir()
    (workbook.specs / "orders.sql").write_text(TALKING[server.kind])
    begun = time.monotonic()
    assert [batch.rows_accepted for batch in ingest.ingest_files(workbook)] == [1]
    assert time.monotonic() - begun > 2


def work(params: Path, environment: dict[str, str]) -> None:
    """What is killed. The server of processes has the environment of the test that began it."""
    os.environ.update(environment)
    ingest.ingest_files(Workbook.open(params))


@pytest.mark.slow
def test_killed_between_fetch_and_commit_no_row_is_lost_or_doubled(server: Server, pulled, tmp_path: Path) -> None:
    processes.set_forkserver_preload(["test_pull_servers", "adbc_driver_postgresql", "pymysql", "pandas"])
    workbook = pulled('table: orders, cursor: placed_at, overlap: "2 days"')
    chance, last, killed = random.Random(22), 1, 0
    for trial in range(KILLS):
        made = []
        for _ in range(20):  # some of them late, by less than the overlap
            last += 1
            late = chance.randrange(0, 2)
            day = f"2024-07-{1 + trial // 4 - late * (trial > 4):02}"
            made.append(f"({last}, 'c{last % 7}', {last}, '{day} 12:00', NULL)")
        server.run(f"INSERT INTO orders VALUES {', '.join(made)};")
        for left in workbook.folder.glob("reading-*"):  # by which the moment after the fetch is known
            shutil.rmtree(left)
        process = processes.Process(target=work, args=(tmp_path / "shop.yml", dict(os.environ)))
        process.start()
        while process.is_alive() and not list(workbook.folder.glob("reading-*/*.parquet")):
            time.sleep(0.002)
        process.join(chance.uniform(0, 0.6))
        killed += process.is_alive()
        process.kill()
        process.join()
    ingest.ingest_files(workbook)
    assert killed > KILLS / 4
    assert [row["n"] for row in rows(workbook)] == list(range(1, last + 1))
    print(f"{server.kind}: {killed} of {KILLS} killed before the commit")
