"""One process, one measurement: fit, score and write with this package. Prints a JSON object."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from clv_helpers.engines.engine import Engine
from clv_helpers.engines.session import bound
from clv_helpers.lifetime.counts import as_histories, read_groups
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.prediction import HISTORY, VALUE
from clv_helpers.lifetime.scoring import fit_spend, month_curve, score, spend_bindings
from clv_helpers.lifetime.tables import build, load


def measure(file: Path, folder: Path) -> dict[str, float]:
    engine = Engine(folder / "lake.duckdb", folder / "published.duckdb")
    with engine.write() as session:
        session.create_table(HISTORY, bound("SELECT * FROM READ_PARQUET($file)", {"file": str(file)}))
    with engine.write() as session:
        began, started = time.perf_counter(), time.process_time()
        groups = read_groups(session, HISTORY)
        fitted = fit("bg_nbd", as_histories(groups))
        fit_done = time.process_time()
        spend = spend_bindings(session, HISTORY, fit_spend(session, HISTORY))
        spend_done = time.process_time()
        curve = month_curve(fitted, groups, 12)
        load(session, "lifetime.score", score(fitted, groups, curve, 0.1))
        scored = time.process_time()
        build(session, {**spend, "margin": 0.3}, VALUE, "lifetime.value_by_decile")
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
