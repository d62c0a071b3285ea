"""One refresh at a time, with a row that says how it went: on schedule (`tick`) or by hand (`refresh`)."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clv_helpers.config.schedule import Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.models import RefreshRow
from clv_helpers.run import history
from clv_helpers.run.alerts import Log, notify, sentence_of
from clv_helpers.run.history import Run
from clv_helpers.run.refresh_all import refresh_all

WAIT = 1.0  # seconds: whoever asks for the status holds the lock for a moment
CHANGED = ("rows", "full")  # the modes of a table that a refresh wrote to
Rows = list[RefreshRow]


class ScheduleError(UserError):
    """What was asked of the schedule cannot be done."""


@dataclass(frozen=True)
class Tick:
    """What a tick did: `outcome` is success, failed, not due, inactive or running; and its run, where it made one."""

    outcome: str
    sentence: str
    run: Run | None = None


@dataclass(frozen=True)
class _Done:
    run: Run
    tables: Rows
    error: Exception | None


def tick(workbook: Workbook, at: dt.datetime | None = None, log: Log = lambda _: None) -> Tick:
    """Do what is due at a moment (UTC; now): new files in, all tables refreshed, alerts sent.

    Whatever was missed is done once; the first tick of a workbook is always due. A failing run is no error here: its
    row says what failed. Raises ScheduleError where the params have no schedule.
    """
    schedule, at = needed(workbook), at or history.now()
    with alone(workbook) as ours:
        if not ours:
            return Tick("running", f"{workbook.name}: another refresh is running; nothing was done")
        why = inactive(schedule, at)
        if why:
            return Tick("inactive", f"{workbook.name}: {why}")
        due_at = due_since(schedule, _runs_so_far(workbook, at, log), at)
        if due_at is None:
            return Tick("not due", f"{workbook.name}: nothing is due")
        done = _recorded(workbook, _ingest_and_refresh, due_at, at)
    if done.error and not isinstance(done.error, UserError):
        log("".join(traceback.format_exception(done.error)))  # unexpected: whoever mends it needs all of it
    notify(workbook, schedule, done.run, log)
    return Tick(done.run.status, sentence_of(workbook, schedule, done.run), done.run)


def refresh(workbook: Workbook, at: dt.datetime | None = None, log: Log = lambda _: None) -> Rows:
    """Bring all tables and audiences up to date with the batches in the lake, by hand; gives a row per table.

    Raises ScheduleError where another refresh is running; what the refresh raises, once its row is written.

    Example:
        >>> next(row.mode for row in run.refresh(wb) if row.table == "derived.customer_decile")
        'unchanged'
    """
    at = at or history.now()
    with alone(workbook) as ours:
        if not ours:
            raise ScheduleError(f"{workbook.name}: another refresh is running; wait for it, then try again")
        _runs_so_far(workbook, at, log)
        done = _recorded(workbook, lambda each: (0, refresh_all(each)), None, at)
    if done.error:
        raise done.error
    return done.tables


def needed(workbook: Workbook) -> Schedule:
    """The schedule of the params. Raises ScheduleError where there is none."""
    if workbook.params.schedule is None:
        raise ScheduleError(
            f"{workbook.file}: schedule is missing; allowed: cron, and what else docs/schedule.md lists"
        )
    return workbook.params.schedule


def inactive(schedule: Schedule, at: dt.datetime) -> str:
    """Why a schedule does not run at a moment; empty where it does."""
    wall = at.astimezone(schedule.zone).replace(tzinfo=None)
    if not schedule.enabled:
        return "inactive: schedule.enabled is false"
    if schedule.start and schedule.start > wall:
        return f"inactive: it starts on {schedule.start:%Y-%m-%d %H:%M} {schedule.time_zone}"
    if schedule.end and schedule.end <= wall:
        return f"inactive: it ended on {schedule.end:%Y-%m-%d %H:%M} {schedule.time_zone}"
    return ""


def due_since(schedule: Schedule, runs: list[Run], at: dt.datetime) -> dt.datetime | None:
    """The moment since which a run is due; None where none is. However many were missed, one makes up for them."""
    last = next((run for run in reversed(runs) if run.due_at), None)
    if last is None or last.due_at is None:
        return at
    if last.status == "interrupted":
        return last.due_at
    due = schedule.next_after(max(last.started_at, last.due_at))
    return due if due and due <= at else None


@contextlib.contextmanager
def alone(workbook: Workbook) -> Iterator[bool]:
    """Whether this process alone refreshes the workbook, until the end of the block."""
    deadline = time.monotonic() + WAIT
    while True:
        with held(lock_file(workbook)) as ours:
            if ours or time.monotonic() > deadline:
                yield ours
                return
        time.sleep(0.05)


def lock_file(workbook: Workbook) -> Path:
    """The file that a refresh holds while it runs."""
    return workbook.folder / "refresh.lock"


def _ingest_and_refresh(workbook: Workbook) -> tuple[int, Rows]:
    """What a scheduled run does; gives the number of new batches and a row per table."""
    from clv_helpers import ingest, simulate

    simulate.make_sources(workbook)
    new = [batch for batch in ingest.ingest_files(workbook) if batch.status == "success"]
    return len(new), refresh_all(workbook)


def _runs_so_far(workbook: Workbook, at: dt.datetime, log: Log) -> list[Run]:
    """The runs until now. A process that was killed could neither note nor notify that it failed: this does."""
    with workbook.engine.write() as session:
        interrupted = history.prepare(session, at)
        runs = history.read_within(session)
    if interrupted:
        workbook.engine.publish_only(history.TABLE)
    for run in interrupted if workbook.params.schedule else ():
        if run.due_at:
            notify(workbook, needed(workbook), run, log)
    return runs


def _recorded(
    workbook: Workbook, work: Callable[[Workbook], tuple[int, Rows]], due_at: dt.datetime | None, at: dt.datetime
) -> _Done:
    """Do the work between two rows of the history.

    What the work did in transactions that it ended stays; the row of a failure is written though its own was undone.
    """
    began, tables = time.monotonic(), Rows()
    error: Exception | None = None
    with workbook.engine.write() as session:
        run = history.begin(session, due_at, at)
    row: dict[str, Any] = {"status": "success"}
    try:
        row["new_batches"], tables = work(workbook)
        changed = [each.table for each in tables if each.mode in CHANGED]
        row |= {"tables_changed": len(changed), "changed": ", ".join(changed)}
    except Exception as caught:  # noqa: BLE001 (whatever it was, the history says so; the caller raises it or logs it)
        error = caught
        row |= {"status": "failed", "sentence": _sentence(caught)}
    ended_at = at + dt.timedelta(seconds=round(time.monotonic() - began))
    with workbook.engine.write(publish=error is None) as session:
        ended = history.end(session, run, ended_at, **row)
    if error:  # the tables as last published stay: they are whole
        with contextlib.suppress(UserError):  # the lake is busy: the next to publish shows it
            workbook.engine.publish_only(history.TABLE)
    return _Done(ended, tables, error)


def _sentence(error: Exception) -> str:
    """What failed, in one line."""
    text = " ".join(str(error).split()) or "no reason given"
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"
