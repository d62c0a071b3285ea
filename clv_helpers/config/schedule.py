"""The section `schedule` of the params: when the tables are refreshed, and who is notified of it."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from clv_helpers.config.validation import Strict

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

Event = Literal["success", "failed"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
FIELDS = ["minute", "hour", "day", "month", "day_of_week"]
MOMENT = dt.timedelta(microseconds=1)
LEAP_YEARS = (dt.datetime(2023, 1, 1, tzinfo=dt.UTC), dt.datetime(2033, 1, 1, tzinfo=dt.UTC))


def cron_trigger(
    cron: str, time_zone: str = "UTC", start: dt.datetime | None = None, end: dt.datetime | None = None
) -> CronTrigger:
    """A cron line as APScheduler's trigger, from `start` to `end`, both among it.

    Raises ValueError, with what is allowed, for a line of another form, or one that restricts both days, which cron
    takes as either and systemd as both.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = dict(zip(FIELDS, cron.lower().split(), strict=False))
    if len(cron.split()) != len(FIELDS) or "last" in cron:
        raise ValueError(
            "five fields: minute, hour, day of the month, month, day of the week; such as 30 5 * * mon-fri"
        )
    if fields["day"] != "*" and fields["day_of_week"] != "*":
        raise ValueError("days of the month or days of the week, not both: schedulers differ on what that means")
    if "/" in fields["day_of_week"]:
        raise ValueError("days of the week without a step, such as mon,wed,fri: schedulers differ on where it begins")
    fields["day_of_week"] = weekdays_by_name(fields["day_of_week"])
    try:
        return CronTrigger(**fields, start_date=start, end_date=end, timezone=zoneinfo.ZoneInfo(time_zone))
    except ValueError as error:
        raise ValueError(f"five fields as cron knows them, such as 30 5 * * mon-fri ({error})") from None


def weekdays_by_name(field: str) -> str:
    """The weekdays of a cron line by name, from Monday: cron counts from Sunday (0 and 7), APScheduler from Monday."""
    named = re.sub(r"(?<![/\d])[0-7]\b", lambda number: WEEKDAYS[int(number[0]) % 7], field)
    return re.sub(r"\bsun-", "sun,mon-", named)


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


def _moment(value: Any) -> dt.datetime | None:
    if value is None or isinstance(value, dt.datetime):
        return value
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo:
        raise ValueError("a day, or a moment in the schedule's time zone, such as 2026-01-31 or 2026-01-31 06:00")
    return moment


Moment = Annotated[dt.datetime | None, BeforeValidator(_moment)]


class Alert(Strict):
    """Who is notified of which ends of a run, in a file or by a command."""

    on: list[Event] = Field(min_length=1)
    """which ends of a run: `success`, `failed`"""
    file: str = ""
    """a line is added to it"""
    command: list[str] = []
    """run without a shell, with one JSON object on standard input"""

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> Alert:
        if bool(self.file) == bool(self.command):
            raise ValueError(f"to is {'file and command' if self.file else 'nowhere'}; allowed: one of file, command")
        return self


class Schedule(Strict):
    """When the tables are refreshed, and who is notified."""

    cron: Annotated[str, BeforeValidator(_cron)]
    """minute, hour, day of the month, month, day of the week (by name, or 0 and 7 for Sunday)"""
    time_zone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    """on whose wall clock, by its IANA name"""
    start: Moment = None
    """the first moment that counts: a day, or a day and a time"""
    end: Moment = None
    """the first moment that counts no more"""
    enabled: bool = True
    """`false` lets it rest"""
    alerts: list[Alert] = []
    """who is notified"""

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Schedule:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"end is {self.end}; allowed: a moment after start ({self.start})")
        return self

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone on whose wall clock the schedule fires."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def trigger(self) -> CronTrigger:
        """The schedule as APScheduler's trigger."""
        start, end = (moment and moment.replace(tzinfo=self.zone) for moment in (self.start, self.end))
        return cron_trigger(self.cron, self.time_zone, start, end and end - MOMENT)

    def next_after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first time after a moment at which the schedule fires, in UTC; None where it has ended.

        Where clocks are put forward, a time that is left out comes as much later; where they are put back, a time that
        is there twice comes twice.
        """
        due = self.trigger().get_next_fire_time(None, moment + MOMENT)
        return due.astimezone(dt.UTC) if due else None

    def clock(self, moment: dt.datetime | None) -> str:
        """A moment (UTC) for people, on the schedule's wall clock."""
        return f"{moment.astimezone(self.zone):%a %d %b %Y %H:%M}" if moment else ""
