"""One refresh at a time, each with its row: on time, failing, killed, by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from shops import broken_day, new_day, scheduled_shop

from clv_helpers import run, schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.run import history
from clv_helpers.run import schedule as module
from conftest import write_shop

CLV = str(Path(sys.executable).with_name("clv"))


def ran(workbook: Workbook) -> list[str]:
    """How each run ended."""
    return [each.status for each in history.read(workbook)]


def customers(workbook: Workbook) -> int:
    with workbook.engine.read() as session:
        return session.scalar("SELECT COUNT(*) AS n FROM profile.customer")


def fails(workbook: Workbook, said: str) -> None:
    with pytest.raises(UserError, match=said):
        schedule.tick(workbook)


def wait_for(true: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@pytest.fixture
def shop(outputs: Path, tmp_path: Path) -> Workbook:
    return scheduled_shop(tmp_path / "shop")


class TestTick:
    def test_takes_new_files_and_refreshes(self, shop: Workbook) -> None:
        tables = {row.table for row in schedule.tick(shop)}
        assert {"profile.customer", "audiences.membership_period"} <= tables
        (first,) = history.read(shop)
        assert (first.status, first.new_batches, customers(shop)) == ("success", 1, 3)
        assert "insights.fact_value_by_month" in str(first.changed)
        assert first.ended_at is not None
        assert first.ended_at >= first.started_at
        new_day(shop, "day2")
        schedule.tick(shop)
        assert customers(shop) == 4
        assert ran(shop) == ["success", "success"]
        assert len(shop.query("schedule.refresh_run")) == 2  # as readers see it

    def test_failure_at_the_end_leaves_what_readers_see_as_it_was(self, shop: Workbook) -> None:
        schedule.tick(shop)
        own = shop.specs / "sql" / "late.sql"
        own.parent.mkdir(parents=True)
        text = "-- One row: a decile.\n-- Key: decile\n-- Check: decile > 99\n"
        own.write_text(f"{text}SELECT DISTINCT decile FROM insights.fact_decile_profile\n")
        new_day(shop, "day2")
        fails(shop, "its check does not hold")
        assert customers(shop) == 3
        own.unlink()
        schedule.tick(shop)
        assert customers(shop) == 4

    def test_a_broken_audience_stops_no_table(self, shop: Workbook) -> None:
        schedule.tick(shop)
        audience = shop.specs / "audiences" / "broken.yml"
        audience.parent.mkdir(parents=True)
        audience.write_text("title: Broken\nrule: {field: nowhere, op: equals, value: 1}\n")
        new_day(shop, "day2")
        schedule.tick(shop)
        assert customers(shop) == 4

    def test_workbook_without_schedule(self, outputs: Path, tmp_path: Path) -> None:
        plain = Workbook.open(write_shop(tmp_path / "plain"))
        with pytest.raises(schedule.ScheduleError, match="shop.yml: schedule is missing; allowed: cron"):
            schedule.tick(plain)


class TestFailure:
    def test_row_is_written_and_published_tables_stay(self, shop: Workbook) -> None:
        schedule.tick(shop)
        new_day(shop, "day0")  # comes in before the broken file, in a transaction of its own
        broken_day(shop)
        fails(shop, "broken.csv: 1 of 1 rows break the contract")
        assert "\n" not in str(history.read(shop)[-1].sentence)
        assert ran(shop)[-1] == "failed"
        assert list(shop.query("schedule.refresh_run", order_by="run_id")["status"]) == ["success", "failed"]
        with shop.engine.read() as session:  # the last good version, and no events newer than its tables
            assert session.scalar("SELECT COUNT(*) AS n FROM lake.purchases") == 5
            assert session.scalar("SELECT COUNT(*) AS n FROM profile.customer") == 3

    def test_first_run_of_all(self, shop: Workbook) -> None:
        broken_day(shop)
        fails(shop, "broken.csv")
        assert not shop.engine.published.exists()
        assert ran(shop) == ["failed"]

    def test_an_unexpected_error_has_its_row_and_is_raised(
        self, shop: Workbook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "refresh_if_changed", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            schedule.tick(shop)
        assert history.read(shop)[0].sentence == "ZeroDivisionError: division by zero"


class TestListing:
    def test_makes_no_file(self, shop: Workbook) -> None:
        assert schedule.status(shop).runs == []
        assert history.read(shop) == []
        assert not shop.folder.exists()


class TestByHand:
    def test_refresh_has_a_row(self, shop: Workbook) -> None:
        schedule.tick(shop)
        tables = {row.table: row.mode for row in run.refresh(shop)}
        assert tables["derived.customer_day"] == "unchanged"
        assert [(each.status, each.new_batches) for each in history.read(shop)] == [("success", 1), ("success", 0)]

    def test_failing_refresh_has_a_row_too(self, outputs: Path, tmp_path: Path) -> None:
        shop = Workbook.open(write_shop(tmp_path / "plain"))
        with pytest.raises(Exception, match="there are no purchases in the lake yet"):
            run.refresh(shop)
        assert ran(shop) == ["failed"]

    def test_one_at_a_time(self, shop: Workbook) -> None:
        with held(shop.folder / "refresh.lock") as ours:
            assert ours
            assert schedule.status(shop).running
            for refresh in (schedule.tick, run.refresh):
                with pytest.raises(schedule.ScheduleError, match="another refresh is running"):
                    refresh(shop)
        assert ran(shop) == []


class TestProcesses:
    def test_killed_in_the_middle_is_noted(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        marker, code = tmp_path / "running", tmp_path / "hangs.py"
        code.write_text(
            "import pathlib, sys, time\n"
            "from clv_helpers.config.workbook import Workbook\n"
            "from clv_helpers.run import schedule\n"
            "def hang(workbook):\n"
            "    pathlib.Path(sys.argv[2]).touch()\n"
            "    time.sleep(600)\n"
            "schedule.refresh_if_changed = hang\n"
            "schedule.tick(Workbook.open(sys.argv[1]))\n"
        )
        process = subprocess.Popen([sys.executable, str(code), str(shop.file), str(marker)])
        wait_for(marker.exists)
        current = schedule.status(shop)
        assert (current.running, [each.status for each in current.runs]) == (True, ["running"])
        process.kill()
        assert process.wait() == -signal.SIGKILL
        current = schedule.status(shop)
        assert (current.running, current.runs[-1].status) == (False, "interrupted")
        schedule.tick(shop)
        assert list(shop.query("schedule.refresh_run", order_by="run_id")["status"]) == ["interrupted", "success"]
        assert history.read(shop)[0].sentence == "its process ended before it was done"
        assert customers(shop) == 3

    def test_two_ticks_at_once_take_a_file_once(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        command = [CLV, "schedule", str(shop.file), "tick", "--json"]
        ticks = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [tick.communicate(timeout=60) for tick in ticks]
        done = [json.loads(out)["tables"] for (out, _), tick in zip(said, ticks, strict=True) if tick.returncode == 0]
        refused = [error for (_, error), tick in zip(said, ticks, strict=True) if tick.returncode]
        assert len(done) >= 1
        assert all("another refresh is running" in error for error in refused)
        assert ran(shop) == ["success"] * len(done)
        assert sum(each.new_batches or 0 for each in history.read(shop)) == 1

    def test_foreground_refreshes_at_once_and_ends_when_told(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        process = subprocess.Popen([CLV, "schedule", str(shop.file), "run"], stderr=subprocess.PIPE, text=True)
        assert "succeeded" in process.stderr.readline()
        assert "next at" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "stopping" in process.stderr.read()
        assert ran(shop) == ["success"]

    def test_foreground_goes_on_after_a_failure(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        broken_day(shop)
        process = subprocess.Popen([CLV, "schedule", str(shop.file), "run"], stderr=subprocess.PIPE, text=True)
        assert "the run failed: broken.csv: 1 of 1 rows break the contract" in process.stderr.readline()
        assert "next at" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0

    def test_foreground_fires_at_the_next_time(self, shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
        """A trigger of seconds in the place of cron's minutes."""
        from apscheduler.triggers.cron import CronTrigger

        lines: list[str] = []

        def log(line: str) -> None:
            lines.append(line)
            if "succeeded" in line and lines.count(line) == 2:
                signal.raise_signal(signal.SIGTERM)

        every_second = CronTrigger(second="*", timezone="UTC")
        monkeypatch.setattr("clv_helpers.config.schedule.Schedule.trigger", lambda _: every_second)
        schedule.run_in_foreground(shop, log)
        assert ran(shop) == ["success"] * len(ran(shop))
        assert len(ran(shop)) >= 2

    def test_failing_tick_ends_with_status_1(self, outputs: Path, tmp_path: Path) -> None:
        shop = scheduled_shop(tmp_path / "shop")
        broken_day(shop)
        done = subprocess.run([CLV, "schedule", str(shop.file), "tick"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert "broken.csv: 1 of 1 rows break the contract" in done.stderr
        status = subprocess.run([CLV, "schedule", str(shop.file), "status"], capture_output=True, text=True)
        assert status.returncode == 0
        assert "broken.csv: 1 of 1 rows break the contract" in status.stdout
