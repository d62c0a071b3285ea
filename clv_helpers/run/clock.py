"""When a schedule fires: the cron line on the wall clock of its time zone."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from apscheduler.triggers.cron import CronTrigger

from clv_helpers.config.schedule import WEEKDAYS, Schedule, cron_values

MOMENT = dt.timedelta(microseconds=1)


def trigger(schedule: Schedule) -> CronTrigger:
    """The schedule as APScheduler's trigger. Its weekdays begin with Monday, those of cron with Sunday: hence names."""
    minutes, hours, days, months, weekdays = cron_values(schedule.cron)
    return CronTrigger(
        minute=_listed(minutes),
        hour=_listed(hours),
        day=_listed(days),
        month=_listed(months),
        day_of_week=_listed([WEEKDAYS[day] for day in weekdays]),
        timezone=zone(schedule),
    )


def zone(schedule: Schedule) -> zoneinfo.ZoneInfo:
    """The time zone of the schedule."""
    return zoneinfo.ZoneInfo(schedule.time_zone)


def next_after(schedule: Schedule, moment: dt.datetime) -> dt.datetime | None:
    """The first time after a moment at which the schedule fires, in UTC; None where it has ended.

    Where clocks are put forward, a time that is left out comes as much later; where they are put back, a time that is
    there twice comes twice.
    """
    if schedule.start:  # the start itself counts
        moment = max(moment, _utc(schedule, schedule.start) - MOMENT)
    found = trigger(schedule).get_next_fire_time(None, moment + MOMENT)
    found = found.astimezone(dt.UTC) if found else None
    ended = schedule.end and found and found >= _utc(schedule, schedule.end)
    return None if ended else found


def shown_time(schedule: Schedule, moment: dt.datetime | None) -> str:
    """A moment (UTC) for people, on the schedule's wall clock."""
    return f"{moment.astimezone(zone(schedule)):%a %d %b %Y %H:%M}" if moment else ""


def _utc(schedule: Schedule, wall: dt.datetime) -> dt.datetime:
    return wall.replace(tzinfo=zone(schedule)).astimezone(dt.UTC)


def _listed(values: list[int] | list[str]) -> str:
    return ",".join(map(str, values))
