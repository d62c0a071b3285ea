"""Many customers to one local CSV, beside a bare COPY of the same rows."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from activations import checked_files
from sqlglot import exp

from clv_helpers import activation, audiences, ingest, models
from clv_helpers.activation import ledger
from clv_helpers.activation.destination import Part, Run, open_destination
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column
from conftest import often

PARAMS = """
title: Many customers
as_of: 2025-01-01
sources:
  purchases: {path: events.parquet}
  customers: {path: customers.parquet}
destinations:
  folder:
    columns: {customer_id: id, email: email, first_name: first, last_name: last, region: region, purchases: n}
    mandatory: [email]
    deduplicate: {attributes: [email]}
activations: [{audience: everyone, destination: folder, campaign: big, control: {share: 0.01}}]
"""


def make(folder: Path, customers: int) -> Workbook:
    """A workbook of customers with one purchase each."""
    number = "printf('M%08d', i)"
    duckdb.sql(
        f"COPY (SELECT {number} AS customer_id, 'name.' || i || '@example.com' AS email, 'Zoë' AS first_name, "
        "'O''Brien, ' || i AS last_name, 'North' AS region, TRUE AS email_consent, DATE '2024-01-01' AS joined_on "
        f"FROM range({customers}) AS r(i)) TO '{folder / 'customers.parquet'}'"
    )
    duckdb.sql(
        f"COPY (SELECT i::VARCHAR AS event_id, {number} AS customer_id, TIMESTAMP '2024-06-01' AS occurred_at, "
        f"10 + i % 90 AS amount FROM range({customers}) AS r(i)) TO '{folder / 'events.parquet'}'"
    )
    params = folder / "many.yml"
    params.write_text(PARAMS)
    (folder / "many" / "audiences").mkdir(parents=True)
    rule = "title: Everyone\nrule: {all: [{field: purchases, op: at least, value: 1}]}\n"
    (folder / "many" / "audiences" / "everyone.yml").write_text(rule)
    workbook = Workbook.open(params)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    audiences.evaluate(workbook)
    return workbook


def export_only(workbook: Workbook, run_id: str, folder: Path) -> tuple[float, float, float]:
    """Seconds of writing a run's file again (with SHA-256, flush and rename), of a bare COPY of the same query, and of
    a bare COPY of its rows from a table in memory."""
    destination = open_destination(workbook, workbook.params.activations[0])
    with workbook.engine.write() as session:
        session.run("UPDATE activation.ledger SET status = 'intended' WHERE run_id = $run_id", run_id=run_id)
        row = session.rows("SELECT * FROM activation.delivery_run WHERE run_id = $run_id", run_id=run_id)[0]
    run = Run(**{name: row[name] for name in Run.__dataclass_fields__})
    part = Part(run, 1, folder / "spool.part")
    people = ledger.rows_of_part(part, destination.params)
    with workbook.engine.write(files=True) as session:
        headers = map(column, destination.params.columns.values())
        bare = exp.select(*headers).from_(people.subquery("people")).order_by("_customer")
        started = time.perf_counter()
        session.copy_to(bare, folder / "bare.csv", format="csv", header=True)
        same_query = time.perf_counter() - started
        started = time.perf_counter()
        destination.prepare(session, people, part)
    destination.deliver(part)
    ours = time.perf_counter() - started
    with workbook.engine.write(files=True) as session:
        session.create_temporary("bare", bare)
        started = time.perf_counter()
        session.copy_to(exp.select("*").from_("bare"), folder / "from_memory.csv", format="csv", header=True)
        return ours, same_query, time.perf_counter() - started


def test_a_small_one_holds_what_a_bare_copy_holds(tmp_path: Path, outputs: Path) -> None:
    workbook = make(tmp_path, 5_000)
    done = activation.activate(workbook, workbook.params.activations[0])
    assert done.delivered == 4_950
    export_only(workbook, done.run_id, tmp_path)
    (file,) = checked_files(workbook.folder / "exports")
    assert file.read_bytes() == (tmp_path / "bare.csv").read_bytes()


@pytest.mark.slow
def test_a_large_one_at_half_the_speed_of_a_bare_copy(tmp_path: Path, outputs: Path) -> None:
    """The figures are printed (pytest -s); memory is that of a process that does nothing else."""
    customers = often(1_000_000, 200_000)
    workbook = make(tmp_path, customers)
    code = (
        "import resource, sys, time\nfrom clv_helpers import activation\n"
        "from clv_helpers.config.workbook import Workbook\n"
        "w = Workbook.open(sys.argv[1])\nstarted = time.perf_counter()\n"
        "done = activation.activate(w, w.params.activations[0])\n"
        "print(done.run_id, done.delivered, time.perf_counter() - started, "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(workbook.file)], check=True, capture_output=True, text=True)
    run_id, delivered, whole, memory = said.stdout.split()
    assert int(delivered) == customers * 99 // 100
    tries = [export_only(workbook, run_id, tmp_path) for _ in range(3)]
    ours, same_query, from_memory = (min(times) for times in zip(*tries, strict=True))
    print(f"\nfile {ours:.2f} s; bare COPY of the same query {same_query:.2f} s, from memory {from_memory:.2f} s")
    print(f"whole activation {float(whole):.1f} s, {float(memory):.0f} MB")
    (file,) = checked_files(workbook.folder / "exports")
    assert file.read_bytes() == (tmp_path / "bare.csv").read_bytes()
