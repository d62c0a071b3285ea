"""How cost grows with the events, engine by engine: `make benchmark-engines` (ROWS="1000000 10000000", ENGINES=…).

Stages 1 and 2 (ingestion, derived tables, profile, insights) of events like those of stage1.py, ten per customer, each
engine in a process of its own. Output: seconds of each step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage1 import PARAMS, write_events

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook

ENGINES = ("duckdb", "spark://local[2]")


def measure(params: Path) -> dict[str, float]:
    """Seconds of each step on one engine, from a new process: a local Spark's start is one of them."""
    workbook = Workbook.open(params)
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def start() -> None:
        with workbook.engine.write() as session:
            session.tables()

    for name, work in (
        ("start", start),
        ("ingest", lambda: ingest.ingest_files(workbook)),
        ("derived", lambda: models.refresh(workbook, "derived")),
        ("profile and insights", lambda: models.refresh(workbook, "profile", "insights")),
    ):
        work()
        seconds[name] = round(time.perf_counter() - started - sum(seconds.values()), 1)
    seconds["peak memory of Python, GB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)
    return seconds


def compare(rows: int, engines: list[str], spark_above: int) -> None:
    """Build the same events on each engine, one after the other, and print what it took."""
    with tempfile.TemporaryDirectory(prefix="clv_engines_", dir=os.environ.get("CLV_BENCHMARK_DIR")) as folder:
        source = Path(folder) / "source"
        source.mkdir()
        write_events(source / "events.parquet", 0, rows, max(rows // 10, 10), "2023-01-01", 1090)
        for engine in engines:
            params = source / "engine.yml"
            params.write_text(f"engine: {engine}\nspark_above: {spark_above}\n{PARAMS.strip()}\n")
            environment = {**os.environ, "CLV_OUTPUTS_DIR": f"{folder}/outputs_{engines.index(engine)}"}
            command = [sys.executable, __file__, "--measure", str(params)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            whole = round(sum(value for key, value in found.items() if "memory" not in key), 1)
            print(f"{rows:>12,} events on {engine:<18} {whole:>8.1f} s  {found}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--spark-above", type=int, default=10_000_000, help="0: all by Spark")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
    else:
        for size in given.rows:
            compare(size, given.engines, given.spark_above)
