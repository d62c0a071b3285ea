"""`clv schedule run`: a process that waits for each time of the schedule, and does what is due."""

from __future__ import annotations

import logging
import signal
from types import FrameType

from apscheduler.schedulers.blocking import BlockingScheduler

from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.run import history
from clv_helpers.run.alerts import Log
from clv_helpers.run.scheduled_refresh import needed, tick


def run_in_foreground(workbook: Workbook, log: Log) -> None:
    """Do what is due now, then at each time of the schedule, until stopped (Ctrl-C, SIGTERM).

    A run that goes on when it is stopped is done to its end. The schedule is read once. Raises ScheduleError where the
    params have none.
    """
    schedule = needed(workbook)
    scheduler = BlockingScheduler(timezone=schedule.zone)

    def turn() -> None:
        try:
            log(tick(workbook, log=log).sentence)
        except UserError as error:  # such as a lake that another process holds: at the next time, then
            log(str(error))
        following = schedule.next_after(history.now())
        if following is None:
            log(f"{workbook.name}: no further run follows")
            scheduler.shutdown(wait=False)
        else:
            log(f"{workbook.name}: next at {schedule.clock(following)} ({schedule.time_zone})")

    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # what comes due while a run goes on is done with the next
    options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
    scheduler.add_job(turn, schedule.trigger(), next_run_time=history.now(), **options)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        scheduler.start()
    except KeyboardInterrupt:
        log(f"{workbook.name}: stopping, once the run that goes on is done")
        scheduler.shutdown(wait=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
