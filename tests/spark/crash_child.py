"""A day's work on Spark that ends itself, JVM and all, at a given step: `crash_child.py PARAMS STEP`; 0: it lives.

A step is the writing of a folder of Parquet, or a commit. The blow falls within a tenth of a second after the
step has begun: before, while or after it is done.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.spark.session import SparkSession

steps = itertools.count(1)


def die() -> None:
    os.killpg(0, signal.SIGKILL)  # the test gives this process a group of its own


def deadly(cls: type, name: str, fatal: int) -> None:
    """Let a method be a step."""
    method = getattr(cls, name)

    def stepping(*args: Any) -> Any:
        if next(steps) == fatal:
            delay = random.Random(fatal).uniform(0, 0.1)
            threading.Timer(delay, die).start() if delay > 0.02 else die()
        return method(*args)

    setattr(cls, name, stepping)


def work(params: Path) -> None:
    """Two batches of events, one of customers, and a refresh after each file of events."""
    workbook = Workbook.open(params)
    for file in sorted(params.parent.glob("events_*.csv")):
        ingest.ingest_files(workbook, "purchases", [file])
        ingest.ingest_files(workbook, "customers", [params.parent / "customers.csv"])
        models.refresh(workbook, "derived")


if __name__ == "__main__":
    for cls, name in ((SparkSession, "_written"), (SparkSession, "finish")):
        deadly(cls, name, int(sys.argv[2]))
    work(Path(sys.argv[1]))
    print(next(steps) - 1)
