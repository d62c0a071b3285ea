"""Killed at any moment of ingest and refresh: the next run ends where an undisturbed one ends."""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import time
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from conftest import ended, often

PARAMS = """
title: A shop under attack
sources:
  purchases: {path: "events_*.csv"}
  customers: {path: customers.csv}
category: category
"""
SCHEMAS = ("derived", "profile")
TRIALS, QUICK = often(24, 6), 2
processes = multiprocessing.get_context("forkserver")


def work(params: Path) -> None:
    """What is killed: two batches with a refresh after each, as a day's run and the next day's."""
    workbook = Workbook.open(params)
    for file in sorted(params.parent.glob("events_*.csv")):
        ingest.ingest_files(workbook, "purchases", [file])
        ingest.ingest_files(workbook, "customers", [params.parent / "customers.csv"])
        models.refresh(workbook, *SCHEMAS)


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    processes.set_forkserver_preload(["test_crash"])
    folder, chance = tmp_path_factory.mktemp("attack"), random.Random(7)
    header = ["event_id", "customer_id", "occurred_at", "category", "amount"]
    for part in range(2):
        with (folder / f"events_{part}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for number in range(1500):
                day = f"2024-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
                status = chance.choice(["GOLD", "SILVER"])
                writer.writerow([f"e{part}{number}", f"m{chance.randint(1, 400)}", day, status, number % 97])
            writer.writerow([f"bad{part}", "m1", "never", "GOLD", 1])
    (folder / "customers.csv").write_text("customer_id,region\n" + "".join(f"m{n},North\n" for n in range(300)))
    (folder / "attack.yml").write_text(PARAMS)
    return folder / "attack.yml"


def state(params: Path) -> dict[str, pd.DataFrame]:
    """All tables and accepted and rejected rows, without what counts attempts: batches' numbers, and those that failed.

    A killed batch stands in derived.not_counted as a file that failed, and was taken in since.
    """
    with Workbook.open(params).engine.read() as session:
        names = [n for n in session.tables() if n.split(".")[0] in SCHEMAS]
        found = {name: session.frame(f"SELECT * FROM {name} ORDER BY ALL") for name in names}
        counted = "SELECT * FROM derived.not_counted WHERE NOT reason LIKE 'the whole file %'"
        found["derived.not_counted"] = session.frame(f"{counted} ORDER BY ALL")
        for name in ("purchases", "customers", "rejected_rows"):
            found[name] = session.frame(f"SELECT * EXCLUDE (_batch_id) FROM lake.{name} ORDER BY ALL")
        batches = "SELECT file, rows_read, rows_accepted, rows_rejected FROM lake.batches WHERE status = 'success'"
        found["batches"] = session.frame(f"{batches} ORDER BY ALL")
    return found


@pytest.fixture(scope="module")
def undisturbed(params: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, pd.DataFrame], float]:
    """The tables of a run in peace, and the seconds that one takes in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("peace")))
        started = time.perf_counter()
        run(params, None)
        return state(params), time.perf_counter() - started


def run(params: Path, kill_after: float | None) -> int:
    """Run `work` in a process of its own, killed after so many seconds; gives its exit code."""
    process = processes.Process(target=_in_outputs, args=(os.environ["CLV_OUTPUTS_DIR"], params))
    return ended(process, kill_after)


def _in_outputs(outputs: str, params: Path) -> None:
    os.environ["CLV_OUTPUTS_DIR"] = outputs
    work(params)


@pytest.mark.parametrize(
    "trial", [*range(QUICK), *(pytest.param(n, marks=pytest.mark.slow) for n in range(QUICK, TRIALS))]
)
def test_killed_at_any_moment(outputs: Path, params: Path, undisturbed, trial: int) -> None:
    expected, seconds = undisturbed
    chance = random.Random(trial)
    for _ in range(chance.randint(1, 2)):
        run(params, kill_after=chance.uniform(0, seconds))
    assert run(params, kill_after=None) == 0
    found = state(params)
    assert found.keys() == expected.keys()
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name)
