"""`clv destinations` and `clv activate` as a person calls them: a dry run unless it is confirmed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clv_helpers.config.workbook import ROOT, Workbook
from conftest import SMALL

OPTIONS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
AIRLINE = str(ROOT / "params" / "airline.yml")


def clv(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("clv"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


def exports(workbook: Workbook) -> list[Path]:
    return sorted((workbook.folder / "exports").glob("*.csv"))


def test_dry_run_then_confirmed(workbook: Workbook) -> None:
    dry = clv("activate", AIRLINE, "win-back", *OPTIONS)
    assert dry.returncode == 0, dry.stderr
    assert "win-back → email_team (audience best_now_quiet): dry run" in dry.stdout
    assert "nothing was written; deliver with --confirm" in dry.stderr
    assert exports(workbook) == []
    done = clv("activate", AIRLINE, "win-back", "--confirm", "--json", *OPTIONS)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["activations"]
    steps = dict(row["waterfall"])
    assert steps.pop("matched") == sum(steps.values())
    assert row["delivered"] == steps["sent"] == row["realized"] == row["files"][0]["rows"]
    assert [file.name for file in exports(workbook) if "control" not in file.name] == [row["files"][0]["name"]]


def test_unknown_campaign_is_named(workbook: Workbook) -> None:
    refused = clv("activate", AIRLINE, "spring", *OPTIONS)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.strip() == f"{AIRLINE}: the campaign is 'spring'; allowed: win-back"


@pytest.mark.parametrize("as_json", [False, True])
def test_destinations_are_tried(workbook: Workbook, as_json: bool) -> None:
    done = clv("destinations", AIRLINE, "check", *(["--json"] if as_json else []))
    assert done.returncode == 0
    said = f"the folder {workbook.folder / 'exports'} can be written to"
    if as_json:
        row = {"destination": "email_team", "answers": True, "said": said}
        assert json.loads(done.stdout) == {"destinations": [row]}
    else:
        assert done.stdout == f"✓ email_team: {said}\n"


def test_a_destination_that_does_not_answer(workbook: Workbook, tmp_path: Path) -> None:
    (workbook.folder / "exports").write_text("a file in the place of the folder")
    done = clv("destinations", AIRLINE, "check")
    assert done.returncode == 1
    assert done.stdout.startswith("✗ email_team: ")
    assert "Traceback" not in done.stdout + done.stderr
