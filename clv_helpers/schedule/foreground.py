"""`clv schedule run`: a process that waits for each time of the schedule, and does what is due."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler

from clv_helpers.errors import UserError
from clv_helpers.schedule import runs
from clv_helpers.schedule.clock import next_after, shown_time, trigger, zone
from clv_helpers.workbook import Workbook


def run(workbook: Workbook, say: Callable[[str], None]) -> None:
    """Do what is due now, then at each time of the schedule, until told to stop (Ctrl-C, SIGTERM); a run that goes on
    then is done to its end.

    The schedule itself is read once. Raises ScheduleError where the params have none.
    """
    schedule = runs.needed(workbook)

    def turn() -> None:
        try:
            say(runs.tick(workbook, say=say).sentence)
        except UserError as error:  # such as a lake that another process holds: at the next time, then
            say(str(error))
        following = next_after(schedule, dt.datetime.now(dt.UTC))
        if following is None:
            say(f"{workbook.name}: no further run follows")
            scheduler.shutdown(wait=False)
        else:
            say(f"{workbook.name}: next at {shown_time(schedule, following)} ({schedule.time_zone})")

    scheduler = BlockingScheduler(timezone=zone(schedule))
    options: dict[str, Any] = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    scheduler.add_job(turn, next_run_time=dt.datetime.now(zone(schedule)), id="first", **options)
    scheduler.add_job(turn, trigger(schedule), id="schedule", **options)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        scheduler.start()
    except KeyboardInterrupt:
        say(f"{workbook.name}: stopping, once what goes on is done")
        scheduler.shutdown(wait=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
