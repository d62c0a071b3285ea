"""The six notebooks in a row, and what keeps the tables fresh: refresh, schedule, history."""

from clv_helpers.run.refresh_all import build_profile
from clv_helpers.run.schedule import refresh

__all__ = ["build_profile", "refresh"]
