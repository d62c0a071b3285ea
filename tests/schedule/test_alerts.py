"""Who is told of what: through a real file, a real mail server, a real command."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import pytest
from servers import PASSWORD, USER, smtp_server
from shops import DAY, HALF_PAST_FIVE, broken_day, scheduled_shop

from clv_helpers import run as schedule

ALL = ["started", "success", "failed", "late", "quarantined"]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def log(outputs: Path) -> Path:
    return outputs / "shop" / "alerts.log"


def events(log: Path) -> list[str]:
    return [line.split()[1] for line in log.read_text().splitlines()]


def test_file_gets_a_line_per_event(outputs: Path, tmp_path: Path, log: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", quarantine_after=2, alerts=[{"on": ALL, "file": "${OUTPUTS}/alerts.log"}])
    schedule.tick(shop, at=HALF_PAST_FIVE)
    broken_day(shop)
    for day in (1, 2, 3):
        schedule.tick(shop, at=HALF_PAST_FIVE + day * DAY)
    assert events(log) == ["started", "success", "started", "failed", "started", "failed", "quarantined"]
    lines = log.read_text().splitlines()
    assert lines[0].endswith("shop: run 1 has started, due Mon 01 Jun 2026 05:30 (UTC)")
    assert ": 1 new batch, " in lines[1]
    assert "shop is quarantined after 2 failures in a row, the last: broken.csv" in lines[-1]


def test_only_events_asked_for(outputs: Path, tmp_path: Path, log: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["failed"], "file": "${OUTPUTS}/alerts.log"}])
    schedule.tick(shop, at=HALF_PAST_FIVE)
    assert not log.exists()


def test_missed_run_is_late_from_the_start(outputs: Path, tmp_path: Path, log: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["late"], "file": "${OUTPUTS}/alerts.log"}])
    schedule.tick(shop, at=HALF_PAST_FIVE)
    schedule.tick(shop, at=HALF_PAST_FIVE + DAY + 16 * MINUTE)
    assert events(log) == ["late"]
    assert "is late: it was not done 15 minutes after that" in log.read_text()


def test_late_while_it_still_runs(outputs: Path, tmp_path: Path, log: Path) -> None:
    """The run is held up by a command that ends once the alert of being late has come."""
    waits = tmp_path / "waits.py"
    waits.write_text(
        "import pathlib, time\n"
        f"log, deadline = pathlib.Path({str(log)!r}), time.monotonic() + 20\n"
        "while time.monotonic() < deadline and not (log.exists() and 'late' in log.read_text()):\n"
        "    time.sleep(0.02)\n"
    )
    alerts = [
        {"on": ["late", "success"], "file": "${OUTPUTS}/alerts.log"},
        {"on": ["started"], "command": [sys.executable, str(waits)]},
    ]
    shop = scheduled_shop(tmp_path / "shop", late_after_minutes=3, alerts=alerts)
    assert schedule.tick(shop, at=HALF_PAST_FIVE + 3 * MINUTE - dt.timedelta(seconds=0.2)).outcome == "success"
    assert events(log) == ["late", "success"]


def test_command_gets_json_on_standard_input(outputs: Path, tmp_path: Path) -> None:
    copies = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    file = tmp_path / "a name; with $(signs)"
    command = [sys.executable, "-c", copies, str(file)]
    shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["failed"], "command": command}])
    broken_day(shop)
    schedule.tick(shop, at=HALF_PAST_FIVE)
    told = json.loads(file.read_text())
    assert (told["event"], told["workbook"], told["status"], told["run_id"]) == ("failed", "shop", "failed", 1)
    assert (told["due_at"], told["next_run_at"]) == ("2026-06-01T05:30:00Z", "2026-06-02T05:30:00Z")
    assert "broken.csv" in told["sentence"]
    assert told["advice"] == ("The tables as last published stay. The next run is due Tue 02 Jun 2026 05:30 (UTC).")


def test_mail_goes_through_a_server_with_encryption_and_password(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLV_TEST_MAIL", PASSWORD)
    with smtp_server(tmp_path) as server:
        mail = {
            "host": "127.0.0.1", "port": server.port, "ca_file": str(server.ca_file),
            "username": USER, "password_variable": "CLV_TEST_MAIL",
            "from": "CLV <clv@example.com>", "to": ["ann@example.com", "bob@example.com"],
        }  # fmt: skip
        shop = scheduled_shop(tmp_path / "shop", quarantine_after=1, alerts=[{"on": ALL, "smtp": mail}])
        broken_day(shop)
        said: list[str] = []
        schedule.tick(shop, at=HALF_PAST_FIVE, say=said.append)
    assert said == []
    assert [str(message["Subject"]) for message in server.messages] == [
        "CLV workbook shop: refresh started", "CLV workbook shop: refresh failed", "CLV workbook shop: quarantined",
    ]  # fmt: skip
    body = server.messages[1].get_content()
    assert "broken.csv: 1 of 1 rows break the contract" in body
    assert "release" in server.messages[2].get_content()
    assert server.recipients[0] == "ann@example.com, bob@example.com"
    assert PASSWORD not in "".join(message.as_string() for message in server.messages)


def test_alert_that_does_not_arrive_is_said_and_no_failure(outputs: Path, tmp_path: Path) -> None:
    lost = {"host": "127.0.0.1", "port": 1, "from": "a@example.com", "to": ["b@example.com"]}
    alerts = [
        {"on": ["success"], "smtp": lost},
        {"on": ["success"], "command": [sys.executable, "-c", "import sys; sys.exit('no such channel')"]},
        {"on": ["success"], "command": ["/no/such/program"]},
        {"on": ["success"], "file": "/proc/no/file"},
    ]
    shop = scheduled_shop(tmp_path / "shop", alerts=alerts)
    said: list[str] = []
    assert schedule.tick(shop, at=HALF_PAST_FIVE, say=said.append).outcome == "success"
    assert [line.partition(": the alert of success did not go out ")[2][:19] for line in said] == [
        f"(schedule.alerts[{index}]" for index in range(4)
    ]
    assert said[1].endswith("ended with 1: no such channel")
