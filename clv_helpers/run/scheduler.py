"""`clv schedule run`: a process that waits for each time of the schedule, and does what is due."""

from __future__ import annotations

import datetime as dt
import logging
import signal
from collections.abc import Callable
from types import FrameType

from apscheduler.schedulers.blocking import BlockingScheduler

from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.run import scheduled_refresh
from clv_helpers.run.clock import next_after, shown_time, trigger, zone

RAN = ("success", "failed")


def run(workbook: Workbook, say: Callable[[str], None]) -> None:
    """Do what is due now, then at each time of the schedule, until told to stop (Ctrl-C, SIGTERM); a run that goes on
    then is done to its end.

    The schedule itself is read once. Raises ScheduleError where the params have none.
    """
    schedule = scheduled_refresh.needed(workbook)

    def turn() -> None:
        try:
            done = scheduled_refresh.tick(workbook, say=say)
            say(done.sentence)
            while done.outcome in RAN:  # what came due meanwhile
                done = scheduled_refresh.tick(workbook, say=say)
                if done.outcome in RAN:
                    say(done.sentence)
        except UserError as error:  # such as a lake that another process holds: at the next time, then
            say(str(error))
        following = next_after(schedule, dt.datetime.now(dt.UTC))
        if following is None:
            say(f"{workbook.name}: no further run follows")
            scheduler.shutdown(wait=False)
        else:
            say(f"{workbook.name}: next at {shown_time(schedule, following)} ({schedule.time_zone})")

    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a time that is skipped is made up for by the run itself
    scheduler = BlockingScheduler(timezone=zone(schedule))
    now, options = dt.datetime.now(zone(schedule)), {"coalesce": True, "misfire_grace_time": None}
    scheduler.add_job(turn, trigger(schedule), next_run_time=now, max_instances=1, **options)
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
