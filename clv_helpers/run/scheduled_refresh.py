"""One refresh at a time, with a row that says how it went: on schedule (`tick`) or by hand (`refresh`)."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clv_helpers.config.schedule import Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.run import history
from clv_helpers.run.clock import next_after, zone
from clv_helpers.run.history import History
from clv_helpers.run.notifications import Told, Watch, tell
from clv_helpers.run.refresh_all import follow_all

PATIENCE = 1.0  # seconds: who asks for the status holds the lock for a moment
CHANGED = ("rows", "full")  # the modes of a table that a refresh wrote to


class ScheduleError(UserError):
    """What was asked of the schedule cannot be done."""


@dataclass(frozen=True)
class Tick:
    """What a tick did: `outcome` is success, failed, not due, inactive, quarantined or running; and its run's row."""

    outcome: str
    sentence: str
    run: dict[str, Any] | None = None


def tick(workbook: Workbook, at: dt.datetime | None = None, say: Callable[[str], None] = lambda _: None) -> Tick:
    """Do what is due at a moment (UTC; now), and tell whom the params name. Whatever was missed is done once.

    A failing run is no error here: its row says what failed. Raises ScheduleError where the params have no schedule.
    """
    schedule, at = needed(workbook), at or history.now()
    # nobody waits for a scheduled run: it has the time to wait for another writer
    workbook.engine.patience = max(workbook.engine.patience, 60.0 * schedule.late_after_minutes)
    with alone(workbook) as ours:
        if not ours:
            return Tick("running", f"{workbook.name}: another refresh is running; nothing was done")
        with workbook.engine.write() as session:
            known, interrupted = history.prepare(session, schedule, at)
        if interrupted:
            _tell_of_interrupted(workbook, known, interrupted, at, say)
        state, why = state_of(schedule, known, at)
        if state != "active":
            return Tick(state, f"{workbook.name}: {why}")
        due_at = due_since(schedule, known, at)
        if due_at is None:
            return Tick("not due", f"{workbook.name}: nothing is due")
        with Watch(workbook, due_at, at, say) as watch:
            run = _recorded(workbook, _work, due_at, at, watch.started)
        return _told(workbook, run, say)


def refresh(
    workbook: Workbook, at: dt.datetime | None = None, say: Callable[[str], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Bring all tables and audiences up to date with the batches in the lake, by hand; gives a row per table.

    Raises ScheduleError where another refresh is running; what the refresh raises, once its row is written.
    """
    at = at or history.now()
    with alone(workbook) as ours:
        if not ours:
            raise ScheduleError(f"{workbook.name}: another refresh is running; wait for it, then try again")
        with workbook.engine.write() as session:
            known, interrupted = history.prepare(session, workbook.params.schedule, at)
        if interrupted and workbook.params.schedule:
            _tell_of_interrupted(workbook, known, interrupted, at, say)
        run = _recorded(workbook, lambda each: (0, follow_all(each)), None, at)
    if run["error"]:
        raise run["error"]
    return run["tables"]


def needed(workbook: Workbook) -> Schedule:
    """The schedule of the params. Raises ScheduleError where there is none."""
    if workbook.params.schedule is None:
        raise ScheduleError(f"{workbook.file}: schedule is missing; allowed: cron, and what else the README lists")
    return workbook.params.schedule


def state_of(schedule: Schedule, known: History, at: dt.datetime) -> tuple[str, str]:
    """active, inactive or quarantined, and a sentence that says why."""
    if known.failures >= schedule.quarantine_after:
        mend = "once mended: clv schedule PARAMS release"
        return "quarantined", f"quarantined after {known.failures} failures in a row; {mend}"
    if not schedule.enabled:
        return "inactive", "inactive: schedule.enabled is false"
    if schedule.start and schedule.start > _wall(schedule, at):
        return "inactive", f"inactive: it starts on {schedule.start:%Y-%m-%d %H:%M} {schedule.time_zone}"
    if schedule.end and schedule.end <= _wall(schedule, at):
        return "inactive", f"inactive: it ended on {schedule.end:%Y-%m-%d %H:%M} {schedule.time_zone}"
    return "active", "active"


def due_since(schedule: Schedule, known: History, at: dt.datetime) -> dt.datetime | None:
    """The moment since which a run is due; None where none is. However many were missed, one makes up for them."""
    since, last = known.state["since"], known.last
    if last and last["status"] == "interrupted" and last["started_at"] > since:
        return last["due_at"]
    after = max(since, last["started_at"], last["due_at"]) if last else since
    due = next_after(schedule, after)
    return due if due and due <= at else None


@contextlib.contextmanager
def alone(workbook: Workbook) -> Iterator[bool]:
    """Whether this process alone refreshes the workbook, until the end of the block."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with held(workbook.folder / "refresh.lock") as ours:
            if ours or time.monotonic() > deadline:
                yield ours
                return
        time.sleep(0.05)


def _work(workbook: Workbook) -> tuple[int, list[dict[str, Any]]]:
    """What a scheduled run does: new files in, then all that follows; gives the new batches and a row per table."""
    from clv_helpers import ingest, simulate

    simulate.make_sources(workbook)
    new = [batch for batch in ingest.ingest(workbook) if batch["status"] == "success"]
    return len(new), follow_all(workbook)


def _recorded(
    workbook: Workbook,
    work: Callable[[Workbook], tuple[int, list[dict[str, Any]]]],
    due_at: dt.datetime | None,
    at: dt.datetime,
    started: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Do the work between two rows of the history; gives the last, with the `tables` and the `error` beside.

    What the work did in transactions that it ended stays; the row of a failure is written though its own was undone.
    """
    began, tables, error = time.monotonic(), [], None
    with workbook.engine.write() as session:
        run = history.begin(session, due_at, at)
    started(run)
    row: dict[str, Any] = {"status": "success"}
    try:
        row["new_batches"], tables = work(workbook)
        changed = [each.table for each in tables if each.mode in CHANGED]
        row |= {"tables_changed": len(changed), "changed": ", ".join(changed)}
    except Exception as caught:
        error = caught
        row |= {"status": "failed", "sentence": _sentence(caught)}
    row["ended_at"] = at + dt.timedelta(seconds=round(time.monotonic() - began))
    with workbook.engine.write(publish=error is None) as session:
        row = history.end(session, run, row)
    if error:  # the tables as last published stay: they are whole
        with contextlib.suppress(UserError):  # the lake is busy: the next to publish shows it
            workbook.engine.publish_only(*history.TABLES)
    return {**row, "tables": tables, "error": error}


def _tell_of_interrupted(
    workbook: Workbook, known: History, interrupted: list[dict[str, Any]], at: dt.datetime, say: Callable[[str], None]
) -> None:
    """A process that was killed could tell nobody: that it failed is told by the next."""
    schedule = needed(workbook)
    workbook.engine.publish_only(*history.TABLES)
    for run in interrupted:
        if run["due_at"]:
            tell(workbook, "failed", Told.of(workbook, run, next_after(schedule, at)), say)
    if known.last and known.failures == schedule.quarantine_after:
        tell(workbook, "quarantined", Told.of(workbook, known.last, None), say)


def _told(workbook: Workbook, run: dict[str, Any], say: Callable[[str], None]) -> Tick:
    """The tick of a run that has ended, once everybody was told."""
    known, schedule = history.read(workbook), needed(workbook)
    facts = Told.of(workbook, run, next_after(schedule, run["ended_at"]))
    if run["error"] and not isinstance(run["error"], UserError):
        say("".join(traceback.format_exception(run["error"])))  # nobody foresaw it: whoever mends it needs all of it
    tell(workbook, run["status"], facts, say)
    if run["status"] == "failed" and known.failures == schedule.quarantine_after:
        tell(workbook, "quarantined", facts, say)
    return Tick(run["status"], facts.sentence(run["status"]), {name: run[name] for name in history.RUN})


def _sentence(error: Exception) -> str:
    """What failed, in one line."""
    text = " ".join(str(error).split()) or "no reason given"
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def _wall(schedule: Schedule, at: dt.datetime) -> dt.datetime:
    return at.astimezone(zone(schedule)).replace(tzinfo=None)
