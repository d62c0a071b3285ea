"""When a schedule fires, and which cron lines there are."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers.config.params import Params
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.run.schedule_export import calendar
from conftest import absent

PLAIN = {"title": "A shop", "sources": {"purchases": {"path": "a.csv"}}}


def fires(schedule: Schedule, after: str, times: int) -> list[str]:
    moment, times_of_it = dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC), []
    for _ in range(times):
        moment = schedule.next_after(moment)
        times_of_it.append(f"{moment:%m-%d %H:%M}" if moment else "none")
        if not moment:
            break
    return times_of_it


def test_wall_clock_of_the_time_zone() -> None:
    berlin = Schedule(cron="30 5 * * *", time_zone="Europe/Berlin")
    assert fires(berlin, "2026-01-10T00:00", 1) == ["01-10 04:30"]
    assert fires(berlin, "2026-07-10T00:00", 1) == ["07-10 03:30"]


def test_time_that_is_left_out_comes_as_much_later() -> None:
    """On 2026-03-29 clocks in Berlin go from 02:00 (+01:00) to 03:00 (+02:00): 02:30 is at 03:30, or 01:30 UTC."""
    berlin = Schedule(cron="30 2 * * *", time_zone="Europe/Berlin")
    assert fires(berlin, "2026-03-27T12:00", 3) == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]


def test_time_that_is_there_twice_comes_twice() -> None:
    berlin = Schedule(cron="30 2 * * *", time_zone="Europe/Berlin")
    assert fires(berlin, "2026-10-24T12:00", 3) == ["10-25 00:30", "10-25 01:30", "10-26 01:30"]


def test_sunday_is_0_and_7_and_monday_1() -> None:
    """2026-06-07 is a Sunday; APScheduler by itself counts from Monday."""
    assert fires(Schedule(cron="0 4 * * 0-1"), "2026-06-01T00:00", 3) == ["06-01 04:00", "06-07 04:00", "06-08 04:00"]
    assert fires(Schedule(cron="0 4 * * 5-7"), "2026-06-01T00:00", 3) == ["06-05 04:00", "06-06 04:00", "06-07 04:00"]
    assert fires(Schedule(cron="0 4 * * 0"), "2026-06-01T00:00", 1) == ["06-07 04:00"]
    assert fires(Schedule(cron="0 4 * * 7"), "2026-06-01T00:00", 1) == ["06-07 04:00"]
    assert fires(Schedule(cron="0 4 * * 1"), "2026-06-02T00:00", 1) == ["06-08 04:00"]
    assert fires(Schedule(cron="0 4 * * sat,sun"), "2026-06-01T00:00", 2) == ["06-06 04:00", "06-07 04:00"]


def test_start_counts_and_end_does_not() -> None:
    schedule = Schedule(cron="0 4 * * *", start="2026-06-03 04:00", end="2026-06-05 04:00")
    assert fires(schedule, "2026-01-01T00:00", 9) == ["06-03 04:00", "06-04 04:00", "none"]


def test_leap_day() -> None:
    schedule = Schedule(cron="0 0 29 2 *")
    assert schedule.next_after(dt.datetime(2026, 3, 1, tzinfo=dt.UTC)) == dt.datetime(2028, 2, 29, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("key", "section", "said"),
    [
        ("cron", {"cron": "0 0 30 2 *"}, "a day that exists"),
        ("cron", {"cron": "0 0 31 4,jun *"}, "a day that exists"),
        ("cron", {"cron": "61 * * * *"}, "(61) is higher than the maximum value (59)"),
        ("cron", {"cron": "* 24 * * *"}, "(24) is higher than the maximum value (23)"),
        ("cron", {"cron": "* * 0 * *"}, "the first value (0) is lower than the minimum value (1)"),
        ("cron", {"cron": "* * * foo *"}, 'Invalid month name "foo"'),
        ("cron", {"cron": "* * * * 8"}, "(8) is higher than the maximum value (6)"),
        ("cron", {"cron": "*/0 * * * *"}, "Increment must be higher than 0"),
        ("cron", {"cron": "9-5 * * * *"}, "minimum value in a range must not be higher than the maximum"),
        ("cron", {"cron": "@daily"}, "five fields"),
        ("cron", {"cron": "0 0 last * *"}, "five fields"),
        ("cron", {"cron": "0 0 1 * mon"}, "days of the month or days of the week, not both"),
        ("cron", {"cron": "0 0 * * */2"}, "days of the week without a step"),
        ("cron", {}, "it must be given"),
        ("time_zone", {"cron": "* * * * *", "time_zone": "Berlin"}, "such as Europe/Berlin"),
        ("time_zone", {"cron": "* * * * *", "time_zone": "../../etc/passwd"}, "such as Europe/Berlin"),
        ("start", {"cron": "* * * * *", "start": "2026-02-30"}, "2026-01-31"),
        ("end", {"cron": "* * * * *", "start": "2026-02-02", "end": "2026-02-02"}, "a moment after start"),
        ("alerts[0].to", {"cron": "* * * * *", "alerts": [{"on": ["failed"]}]}, "one of file, command"),
        ("alerts[0].on[0]", {"cron": "* * * * *", "alerts": [{"on": ["fails"], "file": "a"}]}, "'failed'"),
    ],
)
def test_an_impossible_schedule_is_refused(key: str, section: dict, said: str) -> None:
    with pytest.raises(ParamsError) as error:
        validate(Params, {**PLAIN, "schedule": section}, "shop.yml")
    assert str(error.value).startswith(f"shop.yml: schedule.{key} is ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def one_field(first: int, last: int, *, steps: bool = True) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    ranges = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.integers(2, min(20, last - first)).map(lambda step: f"*/{step}")
    part = st.one_of(number.map(str), ranges, *([stepped] if steps else []))
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


CRONS = st.tuples(
    one_field(0, 59),
    one_field(0, 23),
    one_field(1, 28),
    one_field(1, 12),
    st.one_of(st.just("*"), one_field(0, 7, steps=False)),
).map(lambda fields: " ".join([*fields[:2], "*" if fields[4] != "*" else fields[2], *fields[3:]]))


@given(cron=CRONS, zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
@settings(max_examples=25)
def test_fires_as_systemd_reads_the_exported_calendar(cron: str, zone: str) -> None:
    """Beside another implementation: what the exported unit says, read by systemd itself."""
    if not shutil.which("systemd-analyze"):
        absent("systemd-analyze is not installed (Debian: apt-get install systemd)")
    schedule, base = Schedule(cron=cron, time_zone=zone), "2026-05-01T00:00"
    event = calendar(schedule)
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=3", f"--base-time={base.replace('T', ' ')}:00 UTC", event],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC"},
    ).stdout
    lines = [line.split() for line in said.splitlines() if "elapse" in line or "Iteration" in line or "Iter." in line]
    theirs = [f"{line[-3][5:]} {line[-2][:5]}" for line in lines]
    assert theirs == fires(schedule, base, 3), said
