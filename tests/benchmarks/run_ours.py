"""One process, one measurement: fit, score and write with this package. Prints a JSON object."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from clv_helpers.config.settings import Lifetime
from clv_helpers.engines.engine import Engine
from clv_helpers.lifetime.baselines import Weights, expressions
from clv_helpers.lifetime.counts import as_histories, read_groups
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.intervals_of_totals import bindings
from clv_helpers.lifetime.prediction import HISTORY, LAST_YEAR, VALUE, scored_histories
from clv_helpers.lifetime.rhythm import OVERDUE
from clv_helpers.lifetime.scoring import fit_spend, spend_bindings
from clv_helpers.lifetime.tables import build, load

SETTINGS, AS_OF = Lifetime(margin=0.3), dt.date(1997, 10, 1)


def histories(file: Path, lake: Path) -> None:
    """The customers as the lake has them; in a process of its own, whose memory is not measured."""
    with duckdb.connect(str(lake)) as connection:
        connection.execute("CREATE SCHEMA lifetime")
        connection.execute(
            f"CREATE TABLE {HISTORY} AS SELECT *, CAST(0 AS INT) AS cell FROM READ_PARQUET($file)", {"file": str(file)}
        )
        connection.execute(
            f"CREATE TABLE {LAST_YEAR} (customer_id VARCHAR, purchases_before BIGINT, spend_before DECIMAL(18, 4))"
        )


def measure(file: Path, folder: Path) -> dict[str, float]:
    lake = folder / "lake.duckdb"
    loading = multiprocessing.get_context("spawn").Process(target=histories, args=(file, lake))
    loading.start()
    loading.join()
    engine = Engine(lake, folder / "published.duckdb")
    with engine.write() as session:
        began, started = time.perf_counter(), time.process_time()
        groups = read_groups(session, HISTORY)
        fitted = fit("bg_nbd", as_histories(groups))
        fit_done = time.process_time()
        of_spend = fit_spend(session, HISTORY)
        spend = spend_bindings(session, HISTORY, of_spend)
        spend_done = time.process_time()
        found, *_ = scored_histories(groups, SETTINGS, fitted, of_spend, 1.0)
        load(session, "lifetime.score", found.assign(probability_no_purchase=1 - found["probability_purchase"]))
        scored = time.process_time()
        known = {"margin": SETTINGS.margin, "overdue": OVERDUE, "as_of": AS_OF, "horizon_days": 365}
        known |= {"leans_on_last_year": False, "last_year_after": AS_OF, "discount": 1.0}  # the model's forecast alone
        known |= {**spend, **bindings(0.15), **expressions("", 365, 1.0), **Weights().bindings}
        build(session, known, VALUE, "lifetime.value_by_decile")
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
