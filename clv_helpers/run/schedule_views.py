"""Where a schedule stands: its state, its last and next runs, its history; for the terminal and for notebook 2."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.schedule import MONTHS, WEEKDAYS, Schedule, cron_values
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import history, scheduled_refresh
from clv_helpers.run.clock import next_after, shown_time
from clv_helpers.run.history import History

SHOWN = 10  # runs
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


def status(workbook: Workbook, at: dt.datetime | None = None) -> dict[str, Any]:
    """The state (active, inactive, quarantined), why, the next run, whether one goes on now, and a row per run.

    Moments are in UTC. Raises ScheduleError where the params have no schedule.
    """
    schedule, at = scheduled_refresh.needed(workbook), at or history.now()
    with scheduled_refresh.alone(workbook) as nobody_else:
        known = history.read(workbook)
    if nobody_else:  # a run marked as running is of a process that is gone
        dead = {"status": "interrupted", "sentence": history.INTERRUPTED}
        known = History([run | (dead if run["status"] == "running" else {}) for run in known.runs], known.state)
    state, why = scheduled_refresh.state_of(schedule, known, at)
    pending = scheduled_refresh.due_since(schedule, known, at) if state == "active" and known.state else None
    return {
        "workbook": workbook.name,
        "state": state,
        "why": why,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "start": schedule.start,
        "end": schedule.end,
        "in_words": in_words(schedule),
        "running": not nobody_else,
        "due_since": pending,
        "next_run_at": next_after(schedule, at) if state != "quarantined" and schedule.enabled else None,
        "last_run": known.last,
        "failures_in_a_row": known.failures,
        "quarantine_after": schedule.quarantine_after,
        "runs": known.runs,
    }


def release(workbook: Workbook, at: dt.datetime | None = None) -> str:
    """Let the schedule go on after its failures; gives a sentence. Raises ScheduleError where a refresh is running."""
    schedule, at = scheduled_refresh.needed(workbook), at or history.now()
    with scheduled_refresh.alone(workbook) as ours:
        if not ours:
            raise scheduled_refresh.ScheduleError(f"{workbook.name}: a refresh is running; try again once it is done")
        with workbook.engine.write() as session:
            failures = history.prepare(session, schedule, at)[0].failures
            history.release(session, at)
        workbook.engine.publish_only(*history.TABLES)
    following = shown_time(schedule, next_after(schedule, at))
    return f"{workbook.name}: released, {failures} failures no longer count; " + (
        f"the next run is due {following} ({schedule.time_zone})" if following else "no run follows: the schedule ends"
    )


def in_words(schedule: Schedule) -> str:
    """When the schedule fires, for people."""
    minutes, hours, days, months, weekdays = cron_values(schedule.cron)
    if len(minutes) * len(hours) <= 6:
        when = "at " + _all(f"{hour:02d}:{minute:02d}" for hour in hours for minute in minutes)
    else:
        when = "each minute" if len(minutes) == 60 else f"at minute {_all(minutes)}"
        if len(hours) < 24:
            when += f" of the hours {_all(hours)}"
        elif len(minutes) < 60:
            when += " of every hour"
    on = "every day"
    if len(weekdays) < 7:
        on = "on " + _all(WEEKDAYS[day].capitalize() for day in sorted(weekdays, key=lambda day: day or 7))
    elif len(days) < 31:
        on = f"on day {_all(days)} of the month"
    if len(months) < 12:
        on += " in " + _all(MONTHS[month - 1].capitalize() for month in months)
    ends = f", from {schedule.start:%Y-%m-%d %H:%M}" if schedule.start else ""
    ends += f", until before {schedule.end:%Y-%m-%d %H:%M}" if schedule.end else ""
    return f"{on} {when} ({schedule.time_zone}){ends}"


def text(found: dict[str, Any], schedule: Schedule) -> str:
    """The status for the terminal."""
    lines = [f"{found['workbook']}: {found['why']}", f"  when      {found['in_words']}"]
    lines += [f"  {label:<9} {value}" for label, value in _facts(found, schedule)]
    table = [list(HEADERS.values()), *(_cells(run, schedule) for run in _latest(found))]
    if table[1:]:
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
        lines += ["", *("  ".join(row).rstrip() for row in cells)]
    return "\n".join(lines)


def shown(workbook: Workbook) -> Output:
    """The schedule for a notebook: a sentence on when and whether, and its latest runs as a table.

    What failed is shown without the values in it, which may be of a person.
    """
    if workbook.params.schedule is None:
        return show.note("This workbook has no schedule: a section schedule in its params makes one.")
    schedule, found = workbook.params.schedule, status(workbook)
    facts = "; ".join(f"{label} {value}" for label, value in _facts(found, schedule))
    sentence = show.note(f"Refreshed {found['in_words']}. State: {found['why']}; {facts}.")
    rows = [dict(zip(HEADERS, _cells(run, schedule), strict=True)) for run in _latest(found)]
    if not rows:
        return sentence
    for row in rows:
        row["what"] = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", row["what"])
    table = show.table(rows, **HEADERS)
    return Output({kind: f"{sentence.bundle[kind]}\n{table.bundle[kind]}" for kind in ("text/html", "text/plain")})


def _latest(found: dict[str, Any]) -> list[dict[str, Any]]:
    return found["runs"][: -SHOWN - 1 : -1]


def _facts(found: dict[str, Any], schedule: Schedule) -> list[tuple[str, str]]:
    last, facts = found["last_run"], []
    if found["running"]:
        facts.append(("now", "a refresh is running"))
    if last:
        facts.append(("last run", f"{shown_time(schedule, last['started_at'])}, {last['status']}"))
    if found["due_since"]:
        facts.append(("due", f"since {shown_time(schedule, found['due_since'])}, at the next tick"))
    following = shown_time(schedule, found["next_run_at"])
    return [*facts, ("next run", following or "none")]


def _cells(run: dict[str, Any], schedule: Schedule) -> list[str]:
    """A run for people: its number, times on the schedule's clock, and what it did or what failed."""
    took = f"{(run['ended_at'] - run['started_at']).total_seconds():,.0f} s" if run["ended_at"] else ""
    counts = ["" if run[name] is None else str(run[name]) for name in ("new_batches", "tables_changed")]
    due = shown_time(schedule, run["due_at"]) or "by hand"
    what = run["sentence"] or ""
    return [str(run["run_id"]), due, shown_time(schedule, run["started_at"]), took, run["status"], *counts, what]


def _all(values: Iterable[Any]) -> str:
    """1, 2 and 3."""
    *others, last = map(str, values)
    return f"{', '.join(others)} and {last}" if others else last
