"""The runs of a workbook's refresh, as the table schedule.refresh_run."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from typing import Any

from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session

TABLE = "schedule.refresh_run"
INTERRUPTED = "its process ended before it was done"
# Column → its type in the table; moments are in UTC, those that the engine gives bear no time zone.
COLUMNS = {
    "run_id": "integer",
    "due_at": "timestamp",
    "started_at": "timestamp",
    "ended_at": "timestamp",
    "status": "text",
    "sentence": "text",
    "new_batches": "integer",
    "tables_changed": "integer",
    "changed": "text",
    "process": "integer",
}


@dataclass(frozen=True)
class Run:
    """One refresh: `due_at` is None where it was by hand; `status` is running, success, failed or interrupted.

    `sentence` says what failed, `changed` names the tables that were written to. Moments are in UTC.
    """

    run_id: int
    due_at: dt.datetime | None
    started_at: dt.datetime
    ended_at: dt.datetime | None
    status: str
    sentence: str | None
    new_batches: int | None
    tables_changed: int | None
    changed: str | None
    process: int | None


def now() -> dt.datetime:
    """The moment, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def read(workbook: Workbook) -> list[Run]:
    """The runs, oldest first, as published; of the lake where nothing is published yet. Makes no file."""
    engine = workbook.engine
    if not engine.published.exists() and not engine.lake.exists():
        return []
    with engine.read() if engine.published.exists() else engine.write() as session:
        return read_within(session)


def read_within(session: Session) -> list[Run]:
    """The runs within a session, oldest first."""
    if not session.has_table(TABLE):
        return []
    rows = session.rows("SELECT * FROM schedule.refresh_run ORDER BY run_id")
    return [Run(**{name: _in_utc(row[name]) for name in COLUMNS}) for row in rows]


def prepare(session: Session, at: dt.datetime) -> list[Run]:
    """Make the table where there is none, and note runs that a killed process left; gives those, as interrupted.

    Whoever calls this holds the lock of refreshes, so a run that is still marked as running is of a process that is
    gone.
    """
    session.create_if_absent(TABLE, COLUMNS)
    left = [run.run_id for run in read_within(session) if run.status == "running"]
    if left:
        session.run(
            "UPDATE schedule.refresh_run SET status = 'interrupted', sentence = $sentence WHERE status = 'running'",
            sentence=f"{INTERRUPTED} (noticed {at:%Y-%m-%d %H:%M} UTC)",
        )
    return [run for run in read_within(session) if run.run_id in left]


def begin(session: Session, due_at: dt.datetime | None, at: dt.datetime) -> int:
    """Note that a run begins; gives its number."""
    run = session.scalar("SELECT COALESCE(MAX(run_id), 0) + 1 AS next FROM schedule.refresh_run")
    session.run(
        "INSERT INTO schedule.refresh_run (run_id, due_at, started_at, status, process) "
        "SELECT $run, CAST($due_at AS TIMESTAMP), $at, 'running', $process",
        run=run,
        due_at=_as_stored(due_at),
        at=_as_stored(at),
        process=os.getpid(),
    )
    return run


def end(session: Session, run: int, at: dt.datetime, status: str, **values: Any) -> Run:
    """Note how a run ended, with the values of further columns; gives its row."""
    session.run(
        "UPDATE schedule.refresh_run SET ended_at = $at, status = $status, sentence = $sentence, "
        "new_batches = $new_batches, tables_changed = $tables_changed, changed = $changed WHERE run_id = $run",
        run=run,
        at=_as_stored(at),
        status=status,
        **{name: values.get(name) for name in ("sentence", "new_batches", "tables_changed", "changed")},
    )
    return next(row for row in read_within(session) if row.run_id == run)


def _as_stored(moment: dt.datetime | None) -> dt.datetime | None:
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment else None


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value
