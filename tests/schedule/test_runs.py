"""One refresh at a time, each with its row: on time, missed, failing, killed, by hand."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from shops import DAY, HALF_PAST_FIVE, broken_day, new_day, scheduled_shop

from clv_helpers import run as schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.files import held
from clv_helpers.run import history, scheduled_refresh
from conftest import write_shop

CLV = str(Path(sys.executable).with_name("clv"))
SECOND = dt.timedelta(seconds=1)


def ran(workbook: Workbook) -> list[tuple[str, str]]:
    """When each run was due and how it ended, as readers see it."""
    runs = history.read(workbook)
    return [(f"{run.due_at:%m-%d %H:%M}" if run.due_at else "by hand", run.status) for run in runs]


def customers(workbook: Workbook) -> int:
    with workbook.engine.read() as session:
        return session.scalar("SELECT COUNT(*) AS n FROM profile.customer")


def wait_for(true: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@pytest.fixture
def shop(outputs: Path, tmp_path: Path) -> Workbook:
    return scheduled_shop(tmp_path / "shop")


class TestTick:
    def test_runs_what_is_due_and_once(self, shop: Workbook) -> None:
        done = schedule.tick(shop, at=HALF_PAST_FIVE)
        assert done.outcome == "success"
        assert (done.run.new_batches, customers(shop)) == (1, 3)
        assert "insights.fact_value_by_month" in done.run.changed
        assert schedule.tick(shop, at=HALF_PAST_FIVE + 2 * SECOND).outcome == "not due"
        new_day(shop, "day2")
        assert schedule.tick(shop, at=HALF_PAST_FIVE + DAY).outcome == "success"
        assert customers(shop) == 4
        assert ran(shop) == [("06-01 05:30", "success"), ("06-02 05:30", "success")]

    def test_the_first_is_due_at_any_time(self, shop: Workbook) -> None:
        assert schedule.tick(shop, at=HALF_PAST_FIVE - DAY / 2).outcome == "success"
        assert schedule.tick(shop, at=HALF_PAST_FIVE - SECOND).outcome == "not due"
        assert schedule.tick(shop, at=HALF_PAST_FIVE + SECOND).run.due_at == HALF_PAST_FIVE

    def test_failure_at_the_end_leaves_what_readers_see_as_it_was(self, shop: Workbook) -> None:
        schedule.tick(shop, at=HALF_PAST_FIVE)
        audience = shop.specs / "audiences" / "broken.yml"
        audience.parent.mkdir(parents=True)
        audience.write_text("title: Broken\nrule: {field: nowhere, op: equals, value: 1}\n")
        new_day(shop, "day2")
        failed = schedule.tick(shop, at=HALF_PAST_FIVE + DAY)
        assert (failed.outcome, customers(shop)) == ("failed", 3)
        assert "nowhere" in failed.sentence
        audience.unlink()
        assert schedule.tick(shop, at=HALF_PAST_FIVE + 2 * DAY).outcome == "success"
        assert customers(shop) == 4

    def test_what_was_missed_is_made_up_for_once(self, shop: Workbook) -> None:
        schedule.tick(shop, at=HALF_PAST_FIVE)
        done = schedule.tick(shop, at=HALF_PAST_FIVE + 5 * DAY + dt.timedelta(hours=3))
        assert f"{done.run.due_at:%m-%d}" == "06-02"  # since when it is due
        assert schedule.tick(shop, at=HALF_PAST_FIVE + 5 * DAY + dt.timedelta(hours=4)).outcome == "not due"
        assert len(ran(shop)) == 2

    def test_inactive_before_start_after_end_and_when_disabled(self, outputs: Path, tmp_path: Path) -> None:
        within = {"start": "2026-06-01 05:30", "end": "2026-06-02 05:30"}
        shop = scheduled_shop(tmp_path / "shop", **within)
        assert schedule.tick(shop, at=HALF_PAST_FIVE - DAY).outcome == "inactive"
        assert schedule.tick(shop, at=HALF_PAST_FIVE).outcome == "success"
        assert schedule.tick(shop, at=HALF_PAST_FIVE + DAY).outcome == "inactive"
        assert "ended on 2026-06-02" in schedule.status(shop, HALF_PAST_FIVE + DAY).why
        assert schedule.status(shop, HALF_PAST_FIVE + DAY).next_run_at is None
        off = scheduled_shop(tmp_path / "off", enabled=False)
        assert schedule.tick(off, at=HALF_PAST_FIVE).sentence == "shop: inactive: schedule.enabled is false"

    def test_workbook_without_schedule(self, outputs: Path, tmp_path: Path) -> None:
        plain = Workbook.open(write_shop(tmp_path / "plain"))
        with pytest.raises(schedule.ScheduleError, match="shop.yml: schedule is missing; allowed: cron"):
            schedule.tick(plain)


class TestFailure:
    def test_row_is_written_and_published_tables_stay(self, shop: Workbook) -> None:
        schedule.tick(shop, at=HALF_PAST_FIVE)
        new_day(shop, "day0")  # comes in before the broken file, in a transaction of its own
        broken_day(shop)
        done = schedule.tick(shop, at=HALF_PAST_FIVE + DAY)
        assert done.outcome == "failed"
        assert "broken.csv: 1 of 1 rows break the contract" in done.sentence
        assert "\n" not in done.run.sentence
        assert ran(shop)[-1] == ("06-02 05:30", "failed")
        with shop.engine.read() as session:  # the last good version, and no events newer than its tables
            assert session.scalar("SELECT COUNT(*) AS n FROM lake.purchases") == 5
            assert session.scalar("SELECT COUNT(*) AS n FROM profile.customer") == 3

    def test_first_run_of_all(self, shop: Workbook) -> None:
        broken_day(shop)
        assert schedule.tick(shop, at=HALF_PAST_FIVE).outcome == "failed"
        assert not shop.engine.published.exists()
        assert ran(shop) == [("06-01 05:30", "failed")]

    def test_an_unexpected_error_is_logged_whole(self, shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scheduled_refresh, "refresh_all", lambda _: 1 / 0)
        lines: list[str] = []
        done = schedule.tick(shop, at=HALF_PAST_FIVE, log=lines.append)
        assert done.run.sentence == "ZeroDivisionError: division by zero"
        assert "Traceback" in lines[0]


class TestListing:
    def test_makes_no_file(self, shop: Workbook) -> None:
        assert schedule.status(shop, HALF_PAST_FIVE).runs == []
        assert history.read(shop) == []
        assert not shop.folder.exists()


class TestByHand:
    def test_refresh_has_a_row_and_counts_for_nothing(self, shop: Workbook) -> None:
        schedule.tick(shop, at=HALF_PAST_FIVE)
        tables = {row.table: row.mode for row in schedule.refresh(shop, at=HALF_PAST_FIVE + SECOND)}
        assert tables["derived.customer_day"] == "unchanged"
        assert ran(shop)[-1] == ("by hand", "success")
        assert schedule.tick(shop, at=HALF_PAST_FIVE + DAY).run.due_at == HALF_PAST_FIVE + DAY

    def test_failing_refresh_has_a_row_too(self, outputs: Path, tmp_path: Path) -> None:
        shop = Workbook.open(write_shop(tmp_path / "plain"))
        with pytest.raises(Exception, match="there are no purchases in the lake yet"):
            schedule.refresh(shop)
        assert ran(shop) == [("by hand", "failed")]

    def test_one_at_a_time(self, shop: Workbook) -> None:
        with held(shop.folder / "refresh.lock") as ours:
            assert ours
            assert schedule.tick(shop, at=HALF_PAST_FIVE).outcome == "running"
            assert schedule.status(shop, HALF_PAST_FIVE).running
            with pytest.raises(schedule.ScheduleError, match="another refresh is running"):
                schedule.refresh(shop)
        assert ran(shop) == []


class TestProcesses:
    def test_killed_in_the_middle_is_noted_and_made_up_for_once(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop", alerts=[{"on": ["failed"], "file": "${OUTPUTS}/alerts.log"}])
        marker, code = tmp_path / "running", tmp_path / "hangs.py"
        code.write_text(
            "import pathlib, sys, time\n"
            "from clv_helpers.config.workbook import Workbook\n"
            "from clv_helpers.run import scheduled_refresh\n"
            "def hang(workbook):\n"
            "    pathlib.Path(sys.argv[2]).touch()\n"
            "    time.sleep(600)\n"
            "scheduled_refresh.refresh_all = hang\n"
            "scheduled_refresh.tick(Workbook.open(sys.argv[1]))\n"
        )
        process = subprocess.Popen([sys.executable, str(code), str(shop.file), str(marker)])
        wait_for(marker.exists)
        assert schedule.status(shop).running
        process.kill()
        assert process.wait() == -signal.SIGKILL
        current = schedule.status(shop)
        assert (current.running, current.last_run.status) == (False, "interrupted")
        at = current.last_run.started_at + SECOND
        done = schedule.tick(shop, at=at)
        assert (done.outcome, done.run.due_at) == ("success", current.last_run.due_at)
        assert schedule.tick(shop, at=at + SECOND).outcome == "not due"
        assert [status for _, status in ran(shop)] == ["interrupted", "success"]
        assert customers(shop) == 3
        assert "failed: its process ended before it was done" in (shop.folder / "alerts.log").read_text()

    def test_two_ticks_at_once_are_one_run(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        command = [CLV, "schedule", str(shop.file), "tick", "--json"]
        ticks = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outcomes = sorted(json.loads(tick.communicate(timeout=60)[0])["outcome"] for tick in ticks)
        assert outcomes[-1] == "success"
        assert outcomes[0] in ("running", "not due")
        assert [tick.returncode for tick in ticks] == [0, 0]
        assert len(ran(shop)) == 1

    def test_foreground_runs_what_is_due_and_ends_when_told(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        process = subprocess.Popen([CLV, "schedule", str(shop.file), "run"], stderr=subprocess.PIPE, text=True)
        assert "succeeded" in process.stderr.readline()
        assert "next at" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "stopping" in process.stderr.read()
        assert [status for _, status in ran(shop)] == ["success"]

    def test_foreground_ends_with_the_schedule(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop", end="2026-01-01")
        done = subprocess.run([CLV, "schedule", str(shop.file), "run"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert done.stderr.splitlines() == [
            "shop: inactive: it ended on 2026-01-01 00:00 UTC",
            "shop: no further run follows",
        ]

    def test_failing_tick_ends_with_status_1(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        broken_day(shop)
        done = subprocess.run([CLV, "schedule", str(shop.file), "tick"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (1, "")
        assert "failed after" in done.stdout
        status = subprocess.run([CLV, "schedule", str(shop.file), "status"], capture_output=True, text=True)
        assert status.returncode == 0
        assert "broken.csv: 1 of 1 rows break the contract" in status.stdout
