"""One refresh at a time, each a row of the table schedule.refresh_run: when it was, and how it went."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.models import RefreshRow
from clv_helpers.report.last_look import LastLook

TABLE = "schedule.refresh_run"
# Column → its type in the table; moments are in UTC, those that the engine gives bear no time zone.
COLUMNS = {
    "run_id": "integer",
    "started_at": "timestamp",
    "ended_at": "timestamp",
    "status": "text",
    "sentence": "text",
    "new_batches": "integer",
    "tables_changed": "integer",
    "changed": "text",
}
INTERRUPTED = "its process ended before it was done"
WRITTEN = ("rows", "full")  # the modes of a table that a refresh wrote to
PATIENCE = 1.0  # seconds: whoever asks whether a refresh is running holds the lock for a moment
Rows = list[RefreshRow]


class ScheduleError(UserError):
    """What was asked of the schedule cannot be done."""


@dataclass(frozen=True)
class Run:
    """One refresh; `status` is running, success, failed or interrupted. Moments are in UTC.

    `sentence` says what failed, `changed` names the tables that were written to.
    """

    run_id: int
    started_at: dt.datetime
    ended_at: dt.datetime | None
    status: str
    sentence: str | None
    new_batches: int | None
    tables_changed: int | None
    changed: str | None


def now() -> dt.datetime:
    """The moment, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def read(workbook: Workbook) -> list[Run]:
    """The runs, oldest first; one that is marked as running, of a process that is gone, as interrupted.

    Makes no file.
    """
    running = is_running(workbook)
    try:
        with workbook.engine.read_latest() as session:
            query = "SELECT * FROM schedule.refresh_run ORDER BY run_id"
            rows = session.rows(query) if session.has_table(TABLE) else []
    except NothingPublished:
        return []
    for row in rows:
        if row["status"] == "running" and not running:
            row |= {"status": "interrupted", "sentence": INTERRUPTED}
    return [Run(**{name: _in_utc(row[name]) for name in COLUMNS}) for row in rows]


def is_running(workbook: Workbook) -> bool:
    """Whether a process refreshes the workbook now."""
    lock = workbook.folder / "refresh.lock"
    if not lock.exists():
        return False
    with held(lock) as ours:
        return not ours


@contextlib.contextmanager
def alone(workbook: Workbook) -> Iterator[None]:
    """Hold the lock of refreshes. Raises ScheduleError where another process has it."""
    with held(workbook.folder / "refresh.lock", PATIENCE) as ours:
        if not ours:
            raise ScheduleError(f"{workbook.name}: another refresh is running; wait for it, then try again")
        yield


def recorded(workbook: Workbook, work: Callable[[], tuple[int, Rows]]) -> Rows:
    """Do a refresh, which gives the number of new batches and a row per table, and note how it went.

    Whoever calls this holds the lock. What the work did in transactions that it ended stays; the row of a failure is
    written though its own was undone. Raises what the work raises.
    """
    with workbook.engine.write() as session:
        run = _begin(session)
    try:
        new_batches, tables = work()
    except Exception as error:
        with workbook.engine.write() as session:
            _end(session, run, "failed", sentence=one_line(workbook, error))
        with contextlib.suppress(UserError):  # the lake is busy: the next to publish shows it
            workbook.engine.publish_only(TABLE)  # the others as last published stay: they are whole
        raise
    changed = [table.table for table in tables if table.mode in WRITTEN]
    with workbook.engine.write(publish=True) as session:
        counts = {"new_batches": new_batches, "tables_changed": len(changed)}
        _end(session, run, "success", **counts, changed=", ".join(changed))
    return tables


def lake_state(workbook: Workbook) -> tuple[int, dict[str, dt.datetime]]:
    """How many batches are in, and when each table was last written to (UTC)."""
    try:
        with workbook.engine.read_latest() as session:
            if not session.has_table("lake.batches") or not session.has_table("lake.checkpoint"):
                return 0, {}
            batches = session.scalar("SELECT COUNT(*) AS n FROM lake.batches WHERE status = 'success'")
            rows = session.rows("SELECT table_name, refreshed_at FROM lake.checkpoint ORDER BY table_name")
    except NothingPublished:
        return 0, {}
    return batches, {row["table_name"]: row["refreshed_at"] for row in rows}


def one_line(workbook: Workbook, error: Exception) -> str:
    """What failed, in one line, with … for each customer in it."""
    try:
        text = LastLook(workbook).hidden(" ".join(str(error).split())) or "no reason given"
    except (UserError, OSError) as unreadable:  # who is a customer cannot be told: so is the lake what failed
        text = " ".join(str(unreadable).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def _begin(session: Session) -> int:
    """Note that a run begins, and which one a killed process left; gives the run's number."""
    session.create_if_absent(TABLE, COLUMNS)
    session.run(
        "UPDATE schedule.refresh_run SET status = 'interrupted', sentence = $sentence WHERE status = 'running'",
        sentence=INTERRUPTED,
    )
    run = session.scalar("SELECT COALESCE(MAX(run_id), 0) + 1 AS next FROM schedule.refresh_run")
    session.run(
        "INSERT INTO schedule.refresh_run (run_id, started_at, status) SELECT $run, $at, 'running'",
        run=run,
        at=now().replace(tzinfo=None),
    )
    return run


def _end(session: Session, run: int, status: str, **values: Any) -> None:
    session.run(
        "UPDATE schedule.refresh_run SET ended_at = $at, status = $status, sentence = $sentence, "
        "new_batches = $new_batches, tables_changed = $tables_changed, changed = $changed WHERE run_id = $run",
        run=run,
        at=now().replace(tzinfo=None),
        status=status,
        **{name: values.get(name) for name in ("sentence", "new_batches", "tables_changed", "changed")},
    )


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value
