"""Where a schedule stands: its state, its last and next runs, its history; for the terminal and for notebook 2."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from dataclasses import dataclass

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.files import held
from clv_helpers.run import history
from clv_helpers.run.history import Run
from clv_helpers.run.scheduled_refresh import due_since, inactive, lock_file, needed

LATEST = 10  # runs that are shown
HEADERS = {
    "run": "Run",
    "due": "Due",
    "started": "Started",
    "took": "Took",
    "status": "Status",
    "batches": "New batches",
    "tables": "Tables changed",
    "what": "What failed",
}


@dataclass(frozen=True)
class Status:
    """Where a schedule stands: `state` is active or inactive; `runs` are oldest first. Moments are in UTC."""

    workbook: str
    state: str
    why: str
    cron: str
    time_zone: str
    running: bool
    due_since: dt.datetime | None
    next_run_at: dt.datetime | None
    last_run: Run | None
    runs: list[Run]


def status(workbook: Workbook, at: dt.datetime | None = None) -> Status:
    """The state of the schedule, the next run, whether one goes on now, and a row per run. Makes no file.

    Raises ScheduleError where the params have no schedule.
    """
    schedule, at = needed(workbook), at or history.now()
    running = _is_running(workbook)
    runs = history.read(workbook)
    if not running:  # a run marked as running is of a process that is gone
        runs = [_interrupted(run) if run.status == "running" else run for run in runs]
    why = inactive(schedule, at)
    return Status(
        workbook=workbook.name,
        state="inactive" if why else "active",
        why=why or "active",
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        running=running,
        due_since=None if why or not runs else due_since(schedule, runs, at),
        next_run_at=schedule.next_after(at) if schedule.enabled else None,
        last_run=next((run for run in reversed(runs) if run.due_at), None),
        runs=runs,
    )


def text(workbook: Workbook, at: dt.datetime | None = None) -> str:
    """The status for the terminal. Raises ScheduleError where the params have no schedule."""
    schedule, current = needed(workbook), status(workbook, at)
    lines = [f"{current.workbook}: {current.why}", f"  when      {schedule.cron} ({schedule.time_zone})"]
    lines += [f"  {label:<9} {value}" for label, value in _facts(current, schedule)]
    table = [list(HEADERS.values()), *(_cells(run, schedule) for run in _latest(current))]
    if table[1:]:
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
        lines += ["", *("  ".join(row).rstrip() for row in cells)]
    return "\n".join(lines)


def shown(workbook: Workbook) -> Output:
    """The schedule for a notebook: a sentence on when and whether, and its latest runs as a table.

    What failed is shown without the values in it, which may be of a person.

    Example:
        >>> from clv_helpers import run
        >>> run.shown(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'Refreshed at 30 5 * * * (Europe/Berlin)...'
    """
    schedule = workbook.params.schedule
    if schedule is None:
        return show.note("This workbook has no schedule: a section schedule in its params makes one.")
    current = status(workbook)
    facts = "; ".join(f"{label} {value}" for label, value in _facts(current, schedule))
    sentence = show.note(f"Refreshed at {schedule.cron} ({schedule.time_zone}). State: {current.why}; {facts}.")
    rows = [dict(zip(HEADERS, _cells(run, schedule), strict=True)) for run in _latest(current)]
    if not rows:
        return sentence
    for row in rows:
        row["what"] = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", row["what"])
    table = show.table(rows, **HEADERS)
    return Output({kind: f"{sentence.bundle[kind]}\n{table.bundle[kind]}" for kind in ("text/html", "text/plain")})


def _is_running(workbook: Workbook) -> bool:
    if not lock_file(workbook).exists():
        return False
    with held(lock_file(workbook)) as ours:
        return not ours


def _interrupted(run: Run) -> Run:
    return dataclasses.replace(run, status="interrupted", sentence=history.INTERRUPTED)


def _latest(current: Status) -> list[Run]:
    return current.runs[: -LATEST - 1 : -1]


def _facts(current: Status, schedule: Schedule) -> list[tuple[str, str]]:
    facts = [("now", "a refresh is running")] if current.running else []
    if current.last_run:
        facts.append(("last run", f"{schedule.clock(current.last_run.started_at)}, {current.last_run.status}"))
    if current.due_since:
        facts.append(("due", f"since {schedule.clock(current.due_since)}, at the next tick"))
    return [*facts, ("next run", schedule.clock(current.next_run_at) or "none")]


def _cells(run: Run, schedule: Schedule) -> list[str]:
    """A run for people: its number, times on the schedule's clock, and what it did or what failed."""
    took = f"{(run.ended_at - run.started_at).total_seconds():,.0f} s" if run.ended_at else ""
    counts = ["" if count is None else str(count) for count in (run.new_batches, run.tables_changed)]
    due, started = schedule.clock(run.due_at) or "by hand", schedule.clock(run.started_at)
    return [str(run.run_id), due, started, took, run.status, *counts, run.sentence or ""]
