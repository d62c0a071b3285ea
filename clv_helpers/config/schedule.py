"""The section `schedule` of the params: when what is run, and what follows where that fails."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from clv_helpers.config.validation import Strict

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MOMENT = dt.timedelta(microseconds=1)
LEAP_YEARS = (dt.datetime(2023, 1, 1, tzinfo=dt.UTC), dt.datetime(2033, 1, 1, tzinfo=dt.UTC))


def cron_trigger(cron: str, zone: dt.tzinfo = dt.UTC, end: dt.datetime | None = None) -> CronTrigger:
    """A cron line as APScheduler's trigger.

    Raises ValueError, with what is allowed, for a line of another form, or one that schedulers understand differently.
    """
    from apscheduler.triggers.cron import CronTrigger

    if len(cron.split()) != 5 or "last" in cron:
        raise ValueError(
            "five fields: minute, hour, day of the month, month, day of the week; such as 30 5 * * mon-fri"
        )
    minute, hour, day, month, weekday = cron.lower().split()
    if day != "*" and weekday != "*":  # cron takes them as either, APScheduler as both
        raise ValueError("days of the month or days of the week, not both: schedulers differ on what that means")
    if "/" in weekday:
        raise ValueError("days of the week without a step, such as mon,wed,fri: schedulers differ on where it begins")
    # by name, and from Monday: cron counts from Sunday (0 and 7), APScheduler from Monday
    named = re.sub(r"\b[0-7]\b", lambda number: WEEKDAYS[int(number[0]) % 7], weekday)
    days = re.sub(r"\bsun-", "sun,mon-", named)
    try:
        return CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=days, end_date=end, timezone=zone
        )
    except ValueError as error:
        raise ValueError(f"five fields as cron knows them, such as 30 5 * * mon-fri ({error})") from None


def _cron(value: Any) -> str:
    first, last = LEAP_YEARS
    if cron_trigger(str(value), end=last).get_next_fire_time(None, first) is None:
        raise ValueError("a day that exists")
    return " ".join(str(value).split())


def _zone(value: Any) -> Any:
    try:
        zoneinfo.ZoneInfo(str(value))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("a time zone of the IANA list, such as Europe/Berlin or UTC") from None
    return value


class Schedule(Strict):
    """When the tables are refreshed, or the notebooks run, and what follows where that fails."""

    cron: Annotated[str, BeforeValidator(_cron)]
    """minute, hour, day of the month, month, day of the week (by name, or 0 and 7 for Sunday)"""
    time_zone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    """on whose wall clock, by its IANA name; none: that of the workbook"""
    runs: Literal["tables", "notebooks"] = "tables"
    """`tables`: new files come in, tables and audiences are refreshed; `notebooks`: as `clv run`, all six notebooks and
    the report, which is delivered then as `report.deliver` says"""
    retries: int = Field(default=0, ge=0, le=10)
    """how often a run that failed is tried again, a minute later"""
    on_failure: list[str] = []
    """a command for a run that failed for good, without a shell; it gets one JSON object on standard input"""

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone on whose wall clock the schedule fires."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def trigger(self) -> CronTrigger:
        """The schedule as APScheduler's trigger."""
        return cron_trigger(self.cron, self.zone)

    def next_after(self, moment: dt.datetime) -> dt.datetime:
        """The first time after a moment at which the schedule fires, in UTC.

        Where clocks are put forward, a time that is left out comes as much later; where they are put back, a time that
        is there twice comes twice.
        """
        return self.trigger().get_next_fire_time(None, moment + MOMENT).astimezone(dt.UTC)

    def clock(self, moment: dt.datetime) -> str:
        """A moment (UTC) for people, on the schedule's wall clock."""
        return f"{moment.astimezone(self.zone):%a %d %b %Y %H:%M}"
