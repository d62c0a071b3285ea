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

__all__ = ["shown", "status", "text"]

LATEST = 10  # runs that are shown


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

    Example:
        >>> schedule.status(wb).state
        'active'
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
    """The status for the terminal. Raises ScheduleError where the params have no schedule.

    Example:
        >>> schedule.text(wb).splitlines()[0]
        'airline: active'
    """
    import pandas as pd

    schedule, current = needed(workbook), status(workbook, at)
    facts = [f"{label}: {value}" for label, value in _facts(current, schedule).items()]
    lines = [f"{current.workbook}: {current.why}", *(f"  {fact}" for fact in facts)]
    rows = _rows(current, schedule)
    return "\n".join([*lines, "", pd.DataFrame(rows).to_string(index=False)] if rows else lines)


def shown(workbook: Workbook) -> Output:
    """The schedule for a notebook: a sentence on when and whether, and its latest runs as a table.

    What failed is shown without the values in it, which may be of a person.

    Example:
        >>> schedule.shown(wb).bundle["text/plain"]
        'Refreshed: active; when: 30 5 * * * (Europe/Berlin)...'
    """
    schedule = workbook.params.schedule
    if schedule is None:
        return show.note("This workbook has no schedule: a section schedule in its params makes one.")
    current = status(workbook)
    facts = "; ".join(f"{label}: {value}" for label, value in _facts(current, schedule).items())
    sentence, rows = show.note(f"Refreshed: {current.why}; {facts}."), _rows(current, schedule)
    if not rows:
        return sentence
    for row in rows:
        row["What failed"] = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", row["What failed"])
    table = show.table(rows, **{header: header for header in rows[0]})
    return Output({kind: f"{sentence.bundle[kind]}\n{table.bundle[kind]}" for kind in ("text/html", "text/plain")})


def _is_running(workbook: Workbook) -> bool:
    if not lock_file(workbook).exists():
        return False
    with held(lock_file(workbook)) as ours:
        return not ours


def _interrupted(run: Run) -> Run:
    return dataclasses.replace(run, status="interrupted", sentence=history.INTERRUPTED)


def _facts(current: Status, schedule: Schedule) -> dict[str, str]:
    facts = {"when": f"{schedule.cron} ({schedule.time_zone})"}
    if current.running:
        facts["now"] = "a refresh is running"
    if current.last_run:
        facts["last run"] = f"{schedule.clock(current.last_run.started_at)}, {current.last_run.status}"
    if current.due_since:
        facts["due"] = f"since {schedule.clock(current.due_since)}, at the next tick"
    return facts | {"next run": schedule.clock(current.next_run_at) or "none"}


def _rows(current: Status, schedule: Schedule) -> list[dict[str, str]]:
    """The latest runs for people: times on the schedule's clock, and what each did or what failed."""
    return [
        {
            "Run": str(run.run_id),
            "Due": schedule.clock(run.due_at) or "by hand",
            "Started": schedule.clock(run.started_at),
            "Took": f"{(run.ended_at - run.started_at).total_seconds():,.0f} s" if run.ended_at else "",
            "Status": run.status,
            "New batches": "" if run.new_batches is None else str(run.new_batches),
            "Tables changed": "" if run.tables_changed is None else str(run.tables_changed),
            "What failed": run.sentence or "",
        }
        for run in current.runs[: -LATEST - 1 : -1]
    ]
