"""When a schedule fires, and which cron lines there are."""

from __future__ import annotations

import datetime as dt

import pytest

from clv_helpers.config.params import Params
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.validation import ParamsError, validate

PLAIN = {"title": "A shop", "sources": {"purchases": {"path": "a.csv"}}}


def fires(schedule: Schedule, after: str, times: int) -> list[str]:
    moment, times_of_it = dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC), []
    for _ in range(times):
        moment = schedule.next_after(moment)
        times_of_it.append(f"{moment:%m-%d %H:%M}")
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
        ("retries", {"cron": "* * * * *", "retries": -1}, "greater than or equal to 0"),
        ("on_failure", {"cron": "* * * * *", "on_failure": "mail me"}, "a valid list"),
        ("alerts", {"cron": "* * * * *", "alerts": []}, "not a key; allowed: cron, on_failure"),
    ],
)
def test_an_impossible_schedule_is_refused(key: str, section: dict, said: str) -> None:
    with pytest.raises(ParamsError) as error:
        validate(Params, {**PLAIN, "schedule": section}, "shop.yml")
    assert str(error.value).startswith(f"shop.yml: schedule.{key} is ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
