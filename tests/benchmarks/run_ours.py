"""One process, one measurement: fit, score and write with this package. Prints a JSON object."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from clv_helpers.engines.duckdb.engine import DuckDBEngine
from clv_helpers.lifetime import prediction as build
from clv_helpers.lifetime import store
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.histories import as_histories, read_groups
from clv_helpers.lifetime.scoring import month_curve, score
from clv_helpers.lifetime.spend import fit_spend


def measure(file: Path, folder: Path) -> dict[str, float]:
    engine = DuckDBEngine(folder / "lake.duckdb", folder / "published.duckdb")
    with engine.write() as session:
        store.create(session, "lifetime.customer_history", f"SELECT * FROM read_parquet('{file}')")
        store.build(session, ("lifetime.tenth",), {})
    with engine.write() as session:
        began, started = time.perf_counter(), time.process_time()
        groups = read_groups(session, "lifetime.customer_history")
        fitted = fit("bg_nbd", as_histories(groups))
        fit_done = time.process_time()
        _, spend = fit_spend(session, "lifetime.customer_history")
        spend_done = time.process_time()
        curve = month_curve(fitted, groups, 12)
        store.load(session, "lifetime.score", score(fitted, groups, curve, 0.1))
        scored = time.process_time()
        store.build(session, build.VALUES, {**spend, "margin": 0.3})
    written = time.process_time()
    return {
        "fit": fit_done - started,
        "spend": spend_done - fit_done,
        "score": scored - spend_done,
        "write": written - scored,
        "log_likelihood": fitted.log_likelihood,
        "histories": len(groups),
        "whole": time.perf_counter() - began,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as scratch:
        print(json.dumps(measure(Path(sys.argv[1]), Path(scratch))))
