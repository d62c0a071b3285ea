"""An erasure that is killed at any moment ends clean when it is run again."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from people import EMAIL, PERSON, built, tables_of, write_people

from clv_helpers.config.workbook import Workbook
from clv_helpers.run import forget
from clv_helpers.run.person import PersonError
from conftest import ended, often

TRIALS = often(8, 4)
pytestmark = pytest.mark.slow
processes = multiprocessing.get_context("forkserver")


def erase(outputs: str, params: Path) -> None:
    """What is killed."""
    os.environ["CLV_OUTPUTS_DIR"] = outputs
    with contextlib.suppress(PersonError):  # the killed one had been done already
        forget.forget(Workbook.open(params), PERSON)


def run(outputs: Path, params: Path, kill_after: float | None) -> int:
    process = processes.Process(target=erase, args=(str(outputs), params))
    return ended(process, kill_after)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    processes.set_forkserver_preload(["test_person_crash"])
    folder = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "start"))
        built(write_people(folder / "data"))
    return folder


@pytest.fixture(scope="module")
def undisturbed(start: Path) -> tuple[dict[str, pd.DataFrame], float]:
    """The tables of an erasure in peace, and the seconds that one takes in a process of its own."""
    shutil.copytree(start / "start", start / "peace")
    began = time.perf_counter()
    assert run(start / "peace", start / "data" / "people.yml", None) == 0
    seconds = time.perf_counter() - began
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(start / "peace"))
        return tables_of(Workbook.open(start / "data" / "people.yml")), seconds


@pytest.mark.parametrize("trial", range(TRIALS))
def test_killed_at_any_moment(start: Path, undisturbed, outputs: Path, trial: int) -> None:
    expected, seconds = undisturbed
    params, chance = start / "data" / "people.yml", random.Random(trial)
    shutil.copytree(start / "start", outputs)
    for _ in range(chance.randint(1, 2)):
        run(outputs, params, kill_after=seconds * chance.uniform(0.2, 1))
    assert run(outputs, params, None) == 0
    found = tables_of(Workbook.open(params))
    assert found.keys() == expected.keys()
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name)
    with pytest.raises(PersonError, match="was forgotten before"):
        forget.plan(Workbook.open(params), PERSON)
    left = [file for file in outputs.rglob("*") if file.is_file()]
    assert not [file for file in left if file.name.startswith("forgetting-") or ".part" in file.name]
    for file in left:
        assert not any(mark.encode() in file.read_bytes() for mark in (PERSON, EMAIL)), file
