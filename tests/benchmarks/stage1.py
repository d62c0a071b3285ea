"""Stage 1 at size: `make benchmark`. Ratios within one run; seconds of a shared machine tell little.

Events: one member in ten events, three years, a tenth of the members active in a given month, half of the rows
a second credit of the same flight that does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import duckdb

from clv_helpers import lake
from clv_helpers.workbook import Workbook

PARAMS = """
title: Benchmark
sources:
  loyalty_events: {path: "*.parquet", namespace: LoyaltyNumber}
value: {column: mileage, unit: miles, transaction_types: [STATUS_MILES]}
spend: {column: amount, unit: EUR, transaction_types: [STATUS_MILES]}
category: loyalty_status
"""
# (i * prime) % size spreads members and days without a random generator, the same at each run
EVENTS = """
COPY (
    SELECT
        printf('{prefix}%09d', i) AS event_id,
        printf('M%08d', (hash(i) % {members})) AS membership_number,
        TIMESTAMP '{first}' + to_seconds(CAST((hash(i + 7) % {seconds}) AS BIGINT)) AS occurred_at,
        CASE WHEN i % 2 = 0 THEN 'STATUS_MILES' ELSE 'AWARD_MILES' END AS transaction_type,
        ['FLYER', 'FREQUENT', 'SILVER', 'GOLD'][1 + CAST((hash(i) % {members}) % 4 AS BIGINT)] AS loyalty_status,
        CAST(300 + hash(i + 13) % 9000 AS BIGINT) AS mileage,
        CAST(30 + hash(i + 17) % 90000 / 100.0 AS DECIMAL(18, 4)) AS amount
    FROM range({begin}, {begin} + {rows}) AS r(i)
) TO '{file}' (FORMAT parquet)
"""


def write_events(file: Path, prefix: str, begin: int, rows: int, members: int, first: str, days: int) -> None:
    duckdb.execute(
        EVENTS.format(
            file=file, prefix=prefix, begin=begin, rows=rows, members=members, first=first, seconds=days * 86_400
        )
    )


def timed(label: str, work, results: dict[str, float]):
    started = time.perf_counter()
    answer = work()
    results[label] = round(time.perf_counter() - started, 2)
    print(f"{label:<40} {results[label]:>8.2f} s", flush=True)
    return answer


def main(rows: int) -> None:
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("TMPDIR")))
    os.environ["CLV_OUTPUTS_DIR"] = str(folder / "outputs")
    results: dict[str, float] = {}
    try:
        members = rows // 10
        (folder / "w.yml").write_text(PARAMS)
        write_events(folder / "first.parquet", "A", 0, rows, members, "2023-01-01", 1090)
        workbook = Workbook.open(folder / "w.yml")
        timed("ingest", lambda: lake.ingest(workbook, "loyalty_events", [folder / "first.parquet"]), results)
        steps = timed("full build", lambda: lake.refresh(workbook, "derived", "profile"), results)
        for step in steps:
            print(f"    {step['table']:<36} {step['mode']:<10} {step['rows']:>12,} {step['seconds']:>8.2f}")
        more = rows // 100
        for name, first, days in (
            ("next days", "2025-12-26", 5),
            ("late, all over", "2023-01-01", 1090),
            ("next month", "2025-12-31", 11),
        ):
            file = folder / f"{name}.parquet"
            write_events(file, name[:2], rows * 2 + hash(name) % 1000, more, members, first, days)
            timed(f"ingest +1 %, {name}", lambda: lake.ingest(workbook, "loyalty_events", [file]), results)
            steps = timed(f"refresh +1 %, {name}", lambda: lake.refresh(workbook, "derived", "profile"), results)
            for step in steps:
                print(f"    {step['table']:<36} {step['mode']:<10} {step['rows']:>12,} {step['seconds']:>8.2f}")
        print(json.dumps(results))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    main(parser.parse_args().rows)
