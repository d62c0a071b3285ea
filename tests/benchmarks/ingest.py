"""Ingestion beside a load by hand with the same checks: `make benchmark-ingest` (ROWS=10000000).

Files of purchases with 7 and with 50 columns, as Parquet and as CSV, each loaded by both in turn into a new lake: a
process of its own each time. By hand: the file's checksum; a typed table; what is missing, no value or no moment there
may be; events whose key came before; counts; the good rows into the lake, the others aside; a checkpoint.
Output: seconds of wall and of processor time, the least of some trials, and their ratios within one run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from stage1 import write_events

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import SQL_TYPES

MORE = {"note": "text", "weight": "decimal", "stock": "integer"}  # in turns, the columns beyond the seven
COLUMNS = {
    "event_id": "text", "transaction_type": "text", "customer_id": "text", "occurred_at": "timestamp",
    "category": "text", "amount": "decimal", "mileage": "decimal",
}  # fmt: skip
VALUE = {
    "text": "'t' || hash(event_id, {n}) % 1000",
    "decimal": "CAST(hash(event_id, {n}) % 90000 / 100.0 AS DECIMAL(18, 4))",
    "integer": "CAST(hash(event_id, {n}) % 9000 AS BIGINT)",
}
BY_HAND = """
CREATE TABLE lake ({columns});
CREATE TABLE rejected (row_number BIGINT, reason VARCHAR);
BEGIN;
CREATE TEMP TABLE staged AS SELECT *, CASE
    WHEN customer_id IS NULL OR TRIM(customer_id) = '' THEN 'customer_id is missing'
    WHEN occurred_at IS NULL OR occurred_at < '1900-01-01' OR occurred_at > now() + INTERVAL 1 DAY THEN 'occurred_at'
    {faults} END AS reason
FROM (SELECT row_number() OVER () AS row, {typed}, {written} FROM {source});
CREATE TEMP TABLE repeats AS
WITH good AS (SELECT row, event_id FROM staged WHERE reason IS NULL),
firsts AS (SELECT event_id, MIN(row) AS first FROM good GROUP BY ALL HAVING COUNT(*) > 1)
SELECT row FROM good JOIN firsts USING (event_id) WHERE row > first
UNION SELECT row FROM good WHERE event_id IN (SELECT event_id FROM lake);
SELECT COUNT(*), COUNT(reason), MIN(occurred_at), MAX(occurred_at) FROM staged;
INSERT INTO lake SELECT {names} FROM staged WHERE reason IS NULL AND row NOT IN (SELECT row FROM repeats);
INSERT INTO rejected SELECT row, reason FROM staged WHERE reason IS NOT NULL;
COMMIT;
CHECKPOINT;
"""


def columns(count: int) -> dict[str, str]:
    """So many columns and their types."""
    kinds = list(MORE.items())
    more = (kinds[place % len(kinds)] for place in range(count - len(COLUMNS)))
    return {**COLUMNS, **{f"{name}_{place}": kind for place, (name, kind) in enumerate(more)}}


def write_file(file: Path, rows: int, count: int) -> None:
    """The events of stage1.py, with values beside them that hang on the event alone."""
    events = file.with_name("events_of_stage_1.parquet")
    write_events(events, 0, rows, rows // 10, "2023-01-01", 1090)
    extra = list(columns(count).items())[len(COLUMNS) :]
    more = "".join(f", {VALUE[kind].format(n=place)} AS {name}" for place, (name, kind) in enumerate(extra))
    duckdb.execute(f"COPY (SELECT *{more} FROM '{events}') TO '{file}'")
    events.unlink()


def by_hand(file: Path, count: int) -> int:
    """What a person would write for these columns; gives how many rows the lake has."""
    kinds = columns(count)
    hashlib.sha256(file.read_bytes()).hexdigest()
    source = f"read_csv('{file}', all_varchar=true)" if file.suffix == ".csv" else f"'{file}'"
    numbers = [name for name, kind in kinds.items() if kind in ("decimal", "integer")]
    text = BY_HAND.format(
        columns=", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in kinds.items()),
        typed=", ".join(f"TRY_CAST({name} AS {SQL_TYPES[kind]}) AS {name}" for name, kind in kinds.items()),
        written=", ".join(f"{name} AS {name}_written" for name in numbers),
        faults="".join(
            f" WHEN {name} IS NULL AND {name}_written IS NOT NULL OR ABS({name}) > 1e11 THEN '{name}'"
            for name in numbers
        ),
        source=source,
        names=", ".join(kinds),
    )
    with duckdb.connect(str(file.parent / "by_hand.duckdb")) as connection:
        connection.execute(text)
        return connection.execute("SELECT COUNT(*) FROM lake").fetchall()[0][0]


def ours(file: Path, count: int) -> int:
    """The same by the package; gives how many rows were accepted."""
    named = "\n".join(
        f"      {name}: {name if name in COLUMNS and name != 'mileage' else f'{{from: {name}, type: {kind}}}'}"
        for name, kind in columns(count).items()
    )
    params = file.parent / "shop.yml"
    params.write_text(f"title: A shop\nsources:\n  purchases:\n    path: {file.name}\n    columns:\n{named}\n")
    return int(ingest.ingest_files(Workbook.open(params))[0].rows_accepted or 0)


def measured(how: str, file: Path, count: int) -> dict[str, float]:
    """One load in a process of its own: its wall and processor time, without the start of Python."""
    with tempfile.TemporaryDirectory(dir=file.parent.parent) as folder:
        own = Path(folder) / file.name
        own.symlink_to(file)
        environment = {**os.environ, "CLV_OUTPUTS_DIR": f"{folder}/outputs"}
        command = [sys.executable, __file__, "--load", how, "--file", str(own), "--columns", str(count)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])


def load(how: str, file: Path, count: int) -> None:
    """In the process of one load: do it, and print what it took."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    rows = {"by hand": by_hand, "ours": ours}[how](file, count)
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"rows": rows, "wall": wall, "processor": cpu}))


def main(rows: int, trials: int) -> None:
    with tempfile.TemporaryDirectory(prefix="clv_ingest_", dir=os.environ.get("CLV_BENCHMARK_DIR")) as folder:
        for count in (len(COLUMNS), 50):
            for kind in ("parquet", "csv"):
                file = Path(folder) / f"files_{count}_{kind}" / f"events.{kind}"
                file.parent.mkdir()
                write_file(file, rows, count)
                found = {how: [measured(how, file, count) for _ in range(trials)] for how in ("by hand", "ours")}
                assert {one["rows"] for tried in found.values() for one in tried} == {rows}
                least = {
                    how: {unit: min(one[unit] for one in tried) for unit in ("wall", "processor")}
                    for how, tried in found.items()
                }
                told = ", ".join(f"{how} {each['wall']:.1f} s ({each['processor']:.1f})" for how, each in least.items())
                wall, processor = (least["ours"][unit] / least["by hand"][unit] for unit in ("wall", "processor"))
                print(f"{rows:,} rows, {count} columns, {kind}: {told}; ratio {wall:.2f} ({processor:.2f})", flush=True)
                file.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--trials", type=int, default=2)
    for hidden in ("--load", "--file"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--columns", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        load(given.load, Path(given.file), given.columns)
    else:
        main(given.rows, given.trials)
