"""Who is notified of what: through a real file, a real command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from shops import DAY, HALF_PAST_FIVE, broken_day, scheduled_shop

from clv_helpers import run as schedule


@pytest.fixture
def log(outputs: Path) -> Path:
    return outputs / "shop" / "alerts.log"


def events(log: Path) -> list[str]:
    return [line.split()[1] for line in log.read_text().splitlines()]


def test_file_gets_a_line_per_event(outputs: Path, tmp_path: Path, log: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["success", "failed"], "file": "${OUTPUTS}/alerts.log"}])
    schedule.tick(shop, at=HALF_PAST_FIVE)
    broken_day(shop)
    schedule.tick(shop, at=HALF_PAST_FIVE + DAY)
    assert events(log) == ["success", "failed"]
    succeeded, failed = log.read_text().splitlines()
    assert "shop: run 1, due Mon 01 Jun 2026 05:30 (UTC), succeeded after" in succeeded
    assert ": new batches 1, tables changed " in succeeded
    assert "failed after" in failed
    assert ": broken.csv: 1 of 1 rows break the contract" in failed


def test_only_events_asked_for(outputs: Path, tmp_path: Path, log: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["failed"], "file": "${OUTPUTS}/alerts.log"}])
    schedule.tick(shop, at=HALF_PAST_FIVE)
    assert not log.exists()


def test_command_gets_json_on_standard_input(outputs: Path, tmp_path: Path) -> None:
    copies = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    file = tmp_path / "a name; with $(signs)"
    command = [sys.executable, "-c", copies, str(file)]
    shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["failed"], "command": command}])
    broken_day(shop)
    schedule.tick(shop, at=HALF_PAST_FIVE)
    message = json.loads(file.read_text())
    assert (message["event"], message["workbook"], message["status"], message["run_id"]) == (
        "failed", "shop", "failed", 1,
    )  # fmt: skip
    assert (message["due_at"], message["next_run_at"]) == ("2026-06-01T05:30:00Z", "2026-06-02T05:30:00Z")
    assert "broken.csv" in message["sentence"]


def test_alert_that_does_not_arrive_is_logged_and_no_failure(outputs: Path, tmp_path: Path) -> None:
    alerts = [
        {"on": ["success"], "command": [sys.executable, "-c", "import sys; sys.exit('no such channel')"]},
        {"on": ["success"], "command": ["/no/such/program"]},
        {"on": ["success"], "file": "/proc/no/file"},
    ]
    shop = scheduled_shop(tmp_path / "shop", alerts=alerts)
    lines: list[str] = []
    assert schedule.tick(shop, at=HALF_PAST_FIVE, log=lines.append).outcome == "success"
    assert [line.partition(": the alert of success was not sent ")[2][:19] for line in lines] == [
        f"(schedule.alerts[{index}]" for index in range(3)
    ]
    assert lines[0].endswith("ended with 1: no such channel")
