"""The six notebooks in a row, and what keeps the tables fresh: refresh, schedule, history."""

from clv_helpers.run.refresh_all import build_profile
from clv_helpers.run.schedule_export import export
from clv_helpers.run.schedule_views import shown, status, text
from clv_helpers.run.scheduled_refresh import ScheduleError, Tick, refresh, tick

__all__ = ["ScheduleError", "Tick", "build_profile", "export", "refresh", "shown", "status", "text", "tick"]
