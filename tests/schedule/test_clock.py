"""When a schedule fires, and which cron lines there are."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers.config.params import Params
from clv_helpers.config.schedule import Schedule, cron_values
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.run.clock import next_after
from clv_helpers.run.schedule_export import calendar
from clv_helpers.run.schedule_views import in_words
from conftest import absent

PLAIN = {"title": "A shop", "sources": {"purchases": {"path": "a.csv"}}}


def fires(schedule: Schedule, after: str, times: int) -> list[str]:
    moment, found = dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC), []
    for _ in range(times):
        moment = next_after(schedule, moment)
        found.append(f"{moment:%m-%d %H:%M}" if moment else "none")
        if not moment:
            break
    return found


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
    assert fires(Schedule(cron="0 4 * * 0"), "2026-06-01T00:00", 1) == ["06-07 04:00"]
    assert fires(Schedule(cron="0 4 * * 7"), "2026-06-01T00:00", 1) == ["06-07 04:00"]
    assert fires(Schedule(cron="0 4 * * 1"), "2026-06-02T00:00", 1) == ["06-08 04:00"]
    assert fires(Schedule(cron="0 4 * * sat,sun"), "2026-06-01T00:00", 2) == ["06-06 04:00", "06-07 04:00"]


def test_start_counts_and_end_does_not() -> None:
    schedule = Schedule(cron="0 4 * * *", start="2026-06-03 04:00", end="2026-06-05 04:00")
    assert fires(schedule, "2026-01-01T00:00", 9) == ["06-03 04:00", "06-04 04:00", "none"]


def test_leap_day() -> None:
    schedule = Schedule(cron="0 0 29 2 *")
    assert next_after(schedule, dt.datetime(2026, 3, 1, tzinfo=dt.UTC)) == dt.datetime(2028, 2, 29, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("key", "section", "said"),
    [
        ("cron", {"cron": "0 0 30 2 *"}, "a day that exists"),
        ("cron", {"cron": "0 0 31 4,jun *"}, "no month named here has a day 31"),
        ("cron", {"cron": "61 * * * *"}, "for the minute: * or 0 to 59"),
        ("cron", {"cron": "* 24 * * *"}, "for the hour: * or 0 to 23"),
        ("cron", {"cron": "* * 0 * *"}, "for the day of the month: * or 1 to 31"),
        ("cron", {"cron": "* * * foo *"}, "for the month: * or 1 to 12 (jan to dec)"),
        ("cron", {"cron": "* * * * 8"}, "for the day of the week: * or 0 to 7 (sun to sat)"),
        ("cron", {"cron": "*/0 * * * *"}, "not '*/0'"),
        ("cron", {"cron": "9-5 * * * *"}, "not '9-5'"),
        ("cron", {"cron": "5/10 * * * *"}, "not '5/10'"),
        ("cron", {"cron": "@daily"}, "five fields"),
        ("cron", {"cron": "0 0 1 * mon"}, "days of the month or days of the week, not both"),
        ("cron", {}, "it must be given"),
        ("time_zone", {"cron": "* * * * *", "time_zone": "Berlin"}, "such as Europe/Berlin"),
        ("time_zone", {"cron": "* * * * *", "time_zone": "../../etc/passwd"}, "such as Europe/Berlin"),
        ("start", {"cron": "* * * * *", "start": "2026-02-30"}, "2026-01-31"),
        ("end", {"cron": "* * * * *", "start": "2026-02-02", "end": "2026-02-02"}, "a moment after start"),
        ("quarantine_after", {"cron": "* * * * *", "quarantine_after": 0}, "greater than or equal to 1"),
        ("late_after_minutes", {"cron": "* * * * *", "late_after_minutes": 2000}, "less than or equal to 1440"),
        ("alerts[0].to", {"cron": "* * * * *", "alerts": [{"on": ["failed"]}]}, "one of file, smtp, command"),
        ("alerts[0].on[0]", {"cron": "* * * * *", "alerts": [{"on": ["fails"], "file": "a"}]}, "'failed'"),
    ],
)
def test_what_cannot_be_is_said_at_the_door(key: str, section: dict, said: str) -> None:
    with pytest.raises(ParamsError) as error:
        validate(Params, {**PLAIN, "schedule": section}, "shop.yml")
    assert str(error.value).startswith(f"shop.yml: schedule.{key} is ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_password_needs_a_variable_and_encryption() -> None:
    server = {"host": "h", "from": "a@b", "to": ["c@d"], "username": "u"}
    for lacking in ({}, {"password_variable": "P", "tls": "none"}):
        section = {"cron": "* * * * *", "alerts": [{"on": ["failed"], "smtp": server | lacking}]}
        with pytest.raises(
            ParamsError, match="smtp.username is 'u'; allowed: with password_variable, and tls not none"
        ):
            validate(Params, {**PLAIN, "schedule": section}, "shop.yml")


def test_in_words() -> None:
    words = in_words(Schedule(cron="0 6,18 * * mon,0", time_zone="Europe/Berlin"))
    assert words == "on Mon and Sun at 06:00 and 18:00 (Europe/Berlin)"
    assert in_words(Schedule(cron="0 4 1 1,7 *")) == "on day 1 of the month in Jan and Jul at 04:00 (UTC)"


def one_field(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    ranges = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    part = st.one_of(number.map(str), ranges, st.integers(2, 20).map(lambda step: f"*/{step}"))
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


CRONS = st.tuples(
    one_field(0, 59), one_field(0, 23), one_field(1, 28), one_field(1, 12), st.one_of(st.just("*"), one_field(0, 7))
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


@given(cron=CRONS)
def test_values_of_fields_lie_in_their_range(cron: str) -> None:
    minutes, hours, days, months, weekdays = cron_values(cron)
    assert set(minutes) <= set(range(60)) and set(hours) <= set(range(24)) and set(days) <= set(range(1, 32))
    assert set(months) <= set(range(1, 13)) and set(weekdays) <= set(range(7))
    assert all(field == sorted(set(field)) and field for field in (minutes, hours, days, months, weekdays))
