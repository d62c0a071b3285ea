"""Killed with its JVM at any step of ingest and refresh: the next run leaves every batch in exactly once."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from crash_child import __file__ as child
from crash_child import work

from clv_helpers.config.workbook import Workbook
from conftest import often

PARAMS = """
title: A shop under attack
engine: {engine}
spark_above: 300
sources:
  purchases: {{path: "events_*.csv"}}
  customers: {{path: customers.csv}}
category: category
"""
STEPS = 55  # an undisturbed run takes at least so many


@pytest.fixture(scope="module")
def folder(java: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, chance = tmp_path_factory.mktemp("attack"), random.Random(7)
    for part in range(2):
        with (folder / f"events_{part}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["event_id", "customer_id", "occurred_at", "category", "amount"])
            for number in range(400):
                day = f"2024-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
                status = chance.choice(["GOLD", "SILVER"])
                writer.writerow([f"e{part}{number}", f"m{chance.randint(1, 100)}", day, status, number % 97])
            writer.writerow([f"bad{part}", "m1", "never", "GOLD", 1])
    (folder / "customers.csv").write_text("customer_id,region\n" + "".join(f"m{n},North\n" for n in range(90)))
    for name, engine in (("attack", "spark://local[2]"), ("peace", "duckdb")):
        (folder / f"{name}.yml").write_text(PARAMS.format(engine=engine))
    return folder


def state(params: Path) -> dict[str, pd.DataFrame]:
    """All tables, accepted and rejected rows, and the batches without their numbers, which count attempts."""
    with Workbook.open(params).engine.read() as session:
        names = [n for n in session.tables() if n.startswith("derived.")]
        found = {name: session.frame(f"SELECT * FROM {name}") for name in names}
        counted = "SELECT * FROM derived.not_counted WHERE NOT reason LIKE 'the whole file %'"  # which counts attempts
        found["derived.not_counted"] = session.frame(counted)
        for name in ("purchases", "customers", "rejected_rows"):
            found[name] = session.frame(f"SELECT * EXCLUDE (_batch_id) FROM lake.{name}")
        batches = "SELECT file, rows_read, rows_accepted, rows_rejected FROM lake.batches WHERE status = 'success'"
        found["batches"] = session.frame(batches)
    return {name: frame.sort_values(list(frame.columns)).reset_index(drop=True) for name, frame in found.items()}


def run(params: Path, step: int) -> str:
    """Run the child until a step, or to its end (0); gives what it says, which is nothing if it was killed."""
    command = [sys.executable, child, str(params), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    assert done.returncode == (-9 if step else 0), done.stderr[-2000:]
    return done.stdout.strip()


def attacked(folder: Path, steps: list[int]) -> None:
    """Kill a run at each of these steps, one after the other, let the last one end, and compare."""
    for step in steps:
        run(folder / "attack.yml", step)
    assert int(run(folder / "attack.yml", 0)) > 0
    work(folder / "peace.yml")
    found, expected = state(folder / "attack.yml"), state(folder / "peace.yml")
    assert found.keys() == expected.keys()
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name, check_dtype=False)
    assert len(found["batches"]) == 3
    assert len(found["purchases"]) == 800
    assert len(found["rejected_rows"]) == 2


@pytest.mark.slow
def test_killed_in_the_middle_of_its_work(folder: Path, outputs: Path) -> None:
    attacked(folder, [20])


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(often(6, 1)))
def test_killed_at_any_step(folder: Path, outputs: Path, trial: int) -> None:
    chance = random.Random(trial)
    attacked(folder, [chance.randint(1, STEPS // 2), chance.randint(1, 20)])
