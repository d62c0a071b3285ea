"""Which run goes on or is reported: none with a stage that failed and stays so."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clv_helpers.cli import app
from clv_helpers.report.run_record import NoSuchRun, RunRecord, StageRecord, find, latest
from clv_helpers.run.notebooks import STAGES
from conftest import write_shop


def keep(outputs: Path, run: str, statuses: str) -> None:
    """A run's record: one letter per stage, d(one), f(ailed), n(ot run)."""
    words = {"d": "done", "f": "failed", "n": "not run"}
    stages = [StageRecord(n, STAGES[n], words[letter]) for n, letter in enumerate(statuses, 1)]
    folder = outputs / "runs" / run
    folder.mkdir(parents=True)
    record = RunRecord(run, "shop", "shop.yml", "", {}, {"title": "Shop", "min_cell": 11}, "", {}, "2026-01-01", stages)
    (folder / "run.json").write_text(json.dumps(asdict(record)), encoding="utf-8")


def test_a_failed_run_is_passed_over_and_said(tmp_path: Path) -> None:
    keep(tmp_path, "1", "dddddd")
    keep(tmp_path, "2", "fnnnnn")
    keep(tmp_path, "3", "ddfnnn")
    said: list[str] = []
    assert latest(tmp_path, [3], said.append)[1].run == "3"  # the stage that failed is run anew
    assert said == []
    assert latest(tmp_path, [4], said.append)[1].run == "1"
    assert find(tmp_path, log=said.append)[1].run == "1"
    assert said == ["run 3 failed in 3_dashboard; run 1 is used, the latest in which no stage did"] * 2
    assert find(tmp_path, "2")[1].run == "2"


def test_where_every_run_failed_it_is_said_how_to_go_on(tmp_path: Path) -> None:
    keep(tmp_path, "1", "fnnnnn")
    keep(tmp_path, "2", "dfnnnn")
    says = "run 2 failed in 2_insights_model, and no earlier run is whole; mend it and go on with: "
    for ask in (lambda: latest(tmp_path, [3]), lambda: find(tmp_path)):
        with pytest.raises(NoSuchRun) as refused:
            ask()
        assert str(refused.value) == says + "clv run shop.yml --from 2"


@pytest.mark.parametrize("command", [["run", "--only", "3"], ["report"]])
def test_commands_refuse_a_failed_run(outputs: Path, tmp_path: Path, command: list[str]) -> None:
    keep(outputs / "shop", "1", "fnnnnn")
    name, *options = command
    done = CliRunner().invoke(app, [name, str(write_shop(tmp_path)), *options])
    assert done.exit_code != 0
    assert "report:" not in done.output
    assert "run 1 failed in 1_derived_dataset" in str(done.exception) + done.output
