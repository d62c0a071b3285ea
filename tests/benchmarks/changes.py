"""What a change costs: `make benchmark-changes`. One event, nothing new, the help, and a pull of a million rows.

Output: seconds of processor time (the least of several) and of wall time, on the simulated airline of 20,000 members;
of a pull from a PostgreSQL of its own, each step over a bare fetch by the same driver into a Parquet file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

sys.path.append(str(Path(__file__).parents[1]))
from postgres_server import postgres, programs

from clv_helpers import ingest, models, run, simulate
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest import pull, streaming
from clv_helpers.ingest.loading import prepare
from clv_helpers.run.refresh_all import refresh_after_ingest

AIRLINE = Path(__file__).parents[2] / "params" / "airline.yml"
ORDERS = """
CREATE TABLE orders AS
SELECT i AS id, 'C' || (i * 7919) % 100000 AS customer, ROUND((i % 9973) / 7.0, 2)::numeric(18, 2) AS total,
    TIMESTAMP '2022-01-01' + i * INTERVAL '60 seconds' AS placed_at,
    TIMESTAMP '2022-01-01' + i * INTERVAL '60 seconds' AS updated_at, 'a note of order ' || i AS note
FROM GENERATE_SERIES(1::bigint, {rows}) AS i;
ANALYZE orders;
"""
SHOP = """
title: A shop
sources:
  purchases:
    from: {{database: "${{SHOP_DSN}}", table: orders{more}}}
    columns: {{event_id: id, customer_id: customer, amount: total, occurred_at: placed_at}}
"""
CURSORS = {"a cursor": ", cursor: updated_at", "a cursor and overlap": ", cursor: updated_at, overlap: 2 days"}


class Least:
    """The least seconds of processor time and of wall time, by what was done."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, float]] = {}

    def of(self, label: str, work: Callable[[], Any], times: int = 1, children: bool = False) -> None:
        for _ in range(times):
            who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
            before, began = resource.getrusage(who), time.perf_counter()
            work()
            wall, now = time.perf_counter() - began, resource.getrusage(who)
            cpu = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
            least = self.found.get(label, (cpu, wall))
            self.found[label] = (min(cpu, least[0]), min(wall, least[1]))
        cpu, wall = self.found[label]
        print(f"{label:<56} {cpu:>7.2f} s of processor time {wall:>7.2f} s", flush=True)


def changes(least: Least, times: int) -> None:
    """One event to fresh published tables, and refreshes with nothing new."""
    workbook = Workbook.open(AIRLINE)
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    least.of("the first refresh", lambda: run.refresh(workbook))
    refresh_after_ingest(workbook)
    journals = streaming._journals(workbook)
    inbox = workbook.folder / "inbox"
    stream = streaming.Stream(workbook, journals, inbox, refresh_after_ingest, lambda _: None, settle=1e9)
    stream.unsettled_since = None
    day = workbook.query("derived.as_of")["last_event_on"].iloc[0]
    members = list(workbook.query("derived.customer_value", order_by="customer_id")["customer_id"].iloc[: times + 1])

    def one_event() -> None:
        flight = {
            "event_id": f"benchmark{len(members)}", "membership_number": members.pop(), "amount": 100, "mileage": 900,
            "occurred_at": f"{day:%Y-%m-%d}T00:00:00Z", "loyalty_status": "FLYER", "transaction_type": "STATUS_MILES",
        }  # fmt: skip
        journals["purchases"].append([json.dumps(flight)])
        stream.micro_batch()

    one_event()  # the first reads what the others find in memory
    least.of("one event to fresh tables of people", one_event, times)
    least.of("all that is made of these events", lambda: stream.micro_batch(is_last=True))
    run.refresh(workbook)
    least.of("nothing new: stages 1 and 2", lambda: models.refresh(workbook, "derived", "profile", "insights"), times)
    least.of("nothing new: all tables, campaigns and audiences", lambda: run.refresh(workbook), times)


def pulls(least: Least, rows: int, folder: Path) -> None:
    """A table of a real PostgreSQL: fetched by its driver alone, and as batches."""
    import adbc_driver_postgresql.dbapi as driver

    found = programs()
    if found is None:
        raise SystemExit("the pull needs PostgreSQL: apt-get install postgresql")
    with postgres(found, folder) as server:
        server.run(ORDERS.format(rows=rows))
        address = f"postgresql://postgres@/postgres?host={server.socket}"
        os.environ["SHOP_DSN"] = address

        def bare() -> None:
            with driver.connect(address) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT * FROM orders")
                answer = cursor.fetch_record_batch()  # noqa: F841 (the query names it)
                duckdb.sql(f"COPY (SELECT * FROM answer) TO '{folder}/bare.parquet' (FORMAT parquet)")

        least.of(f"{rows:,} rows, bare fetch to Parquet", bare, 2)
        for place, (name, more) in enumerate(CURSORS.items()):
            params = folder / f"shop{place}.yml"
            params.write_text(SHOP.format(more=more))
            workbook = Workbook.open(params)

            def fetch(workbook: Workbook = workbook) -> None:
                with pull.fetched(workbook, "purchases") as file:
                    assert file

            prepare(workbook)
            least.of(f"with {name}: fetched, and known again", fetch)
            least.of(f"with {name}: a batch in the lake", lambda workbook=workbook: ingest.ingest_files(workbook))
        columns = "{event_id: id, customer_id: customer, amount: total, occurred_at: placed_at}"
        (folder / "file.yml").write_text(
            f"title: A file\nsources:\n  purchases:\n    path: bare.parquet\n    columns: {columns}\n"
        )
        workbook = Workbook.open(folder / "file.yml")
        least.of("the same rows from a Parquet file", lambda: ingest.ingest_files(workbook))


def machine() -> str:
    """Where and when this is measured: figures of another machine, or of one that others use too, are others."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    busy = os.getloadavg()[0]
    return (
        f"{time.strftime('%d %B %Y')}: {len(names)} cores ({names[0]}), Python {platform.python_version()}, "
        f"DuckDB {duckdb.__version__}; {busy:.1f} processes were at work when it began"
    )


def ratios(least: Least, whole: str) -> None:
    """Each processor time over that of a build of everything: what a slower or busier machine does not change much."""
    for label, (cpu, _) in least.found.items():
        print(f"{label:<56} {cpu / least.found[whole][0]:>7.1%} of {whole}")


def main(rows: int, times: int) -> None:
    print(machine(), flush=True)
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    os.environ["CLV_OUTPUTS_DIR"] = str(folder / "outputs")
    least = Least()
    clv = [sys.executable, "-c", "from clv_helpers import cli; cli.main()", "--help"]
    try:
        run_clv = lambda: subprocess.run(clv, check=True, stdout=subprocess.DEVNULL)  # noqa: E731
        least.of("clv --help", run_clv, times or 1, children=True)
        if times:
            changes(least, times)
            ratios(least, "the first refresh")
        if rows:
            server = folder / "server"
            server.mkdir()
            pulls(least, rows, server)
            bare = least.found[f"{rows:,} rows, bare fetch to Parquet"]
            batches = {label: cost for label, cost in least.found.items() if label.startswith("with ")}
            for label, cost in batches.items():
                print(f"{label} / bare fetch: {cost[1] / bare[1]:.1f} (wall), {cost[0] / bare[0]:.1f} (processor)")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the pull; 0: none")
    parser.add_argument("--times", type=int, default=7, help="each small step; 0: none of them")
    given = parser.parse_args()
    main(given.rows, given.times)
