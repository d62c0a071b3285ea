"""When the tables are refreshed: on a cron line, one run at a time, with alerts, a history, and rest after failures."""

from clv_helpers.schedule.export import export
from clv_helpers.schedule.runs import ScheduleError, Tick, refresh, tick
from clv_helpers.schedule.status import release, shown, status, text

__all__ = ["ScheduleError", "Tick", "export", "refresh", "release", "shown", "status", "text", "tick"]
