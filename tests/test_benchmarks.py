"""The benchmarks run, on a handful of rows: what they measure is no test, but a script that fails measures nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
SMALL = {
    "stage1": (["--rows", "20000"], "deciles from events"),
    "ingest": (["--rows", "2000", "--trials", "1"], "parquet"),
    "audiences": (["2000", "10000"], "median of the rules"),
    "attributes": (["5000", "500"], "times"),
    "fuzzy_match": (["300"], "300"),
    "engines": (["--rows", "2000", "--engines", "duckdb"], "2,000 events on duckdb"),
    "faces": (["--members", "300"], "300"),
}
SLOW = {"changes": (["--rows", "0", "--times", "1"], "of the first refresh")}


def run(script: str, *given: str, folder: Path) -> str:
    environment = {**os.environ, "CLV_OUTPUTS_DIR": str(folder / "outputs"), "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{script}.py"), *given],
        capture_output=True, text=True, check=False, env=environment, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("script", [*SMALL, *(pytest.param(script, marks=pytest.mark.slow) for script in SLOW)])
def test_runs_to_its_end(script: str, tmp_path: Path) -> None:
    given, said = (SMALL | SLOW)[script]
    assert said in run(script, *given, folder=tmp_path)


def test_lifetime_of_cdnow_is_fitted_and_written(cdnow_folder: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(FOLDER))
    try:
        from histories import from_csv
    finally:
        sys.path.remove(str(FOLDER))
    from_csv(cdnow_folder / "cdnow_sample.csv", tmp_path / "customers.parquet")
    found = json.loads(run("run_ours", str(tmp_path / "customers.parquet"), str(tmp_path), folder=tmp_path))
    assert found["log_likelihood"] == pytest.approx(-9582.4, abs=0.1)  # Fader, Hardie and Lee (2005), per customer
