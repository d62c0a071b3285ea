"""The runs and the state of a schedule, as tables of the lake: schedule.run and schedule.state."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from clv_helpers.config.schedule import Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, literal, table
from clv_helpers.engines.session import Session

RUN = {
    "run_id": "integer",
    "due_at": "timestamp",  # UTC, as all times here; none for a refresh by hand
    "started_at": "timestamp",
    "ended_at": "timestamp",
    "status": "text",  # running, success, failed, interrupted
    "sentence": "text",  # what failed
    "new_batches": "integer",
    "tables_changed": "integer",
    "changed": "text",
    "process": "integer",
}
STATE = {
    "definition": "text",  # the schedule that the moment `since` belongs to
    "since": "timestamp",  # what was due before it does not count
    "released_at": "timestamp",
}
TABLES = {"schedule.run": RUN, "schedule.state": STATE}
LAUNCH = dt.timedelta(minutes=5)  # how late a launcher may be with the first tick of a schedule
INTERRUPTED = "its process ended before it was done"


@dataclass(frozen=True)
class History:
    """What is known: a row per run, oldest first, and the state (empty where nothing has run yet)."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def scheduled(self) -> list[dict[str, Any]]:
        """The runs that the schedule began, oldest first."""
        return [run for run in self.runs if run["due_at"]]

    @property
    def failures(self) -> int:
        """How many runs failed or were interrupted one after the other, up to now or to the last release."""
        released, count = self.state.get("released_at"), 0
        for run in reversed(self.scheduled):
            if run["status"] == "success" or (released and run["started_at"] <= released):
                break
            count += run["status"] in ("failed", "interrupted")
        return count

    @property
    def last(self) -> dict[str, Any] | None:
        return self.scheduled[-1] if self.scheduled else None


def now() -> dt.datetime:
    """The moment, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def read(workbook: Workbook) -> History:
    """The history as readers see it: of the published tables, or of the lake where nothing is published yet."""
    engine = workbook.engine
    if engine.published.exists():
        with engine.read() as session:
            return read_in(session)
    if engine.lake.exists():
        with engine.write() as session:
            return read_in(session)
    return History()


def read_in(session: Session) -> History:
    """The history within a session."""
    if not all(session.has_table(name) for name in TABLES):
        return History()
    runs = session.rows(exp.select("*").from_(table("schedule.run")).order_by("run_id"))
    state = session.rows(exp.select("*").from_(table("schedule.state")))
    return History([_aware(run) for run in runs], _aware(state[0]) if state else {})


def prepare(session: Session, schedule: Schedule | None, at: dt.datetime) -> tuple[History, list[dict[str, Any]]]:
    """Tables where there are none, the runs noted as interrupted that a killed process left, the state as it is now.

    Gives the history, and the runs that were just found to be interrupted. Whoever calls this holds the lock of runs,
    so a run that is still marked as running is of a process that is gone.
    """
    for name, columns in TABLES.items():
        session.create_if_absent(name, columns)
    left = {run["run_id"] for run in read_in(session).runs if run["status"] == "running"}
    if left:
        session.run(
            "UPDATE schedule.run SET status = 'interrupted', sentence = $sentence WHERE status = 'running'",
            sentence=f"{INTERRUPTED} (noticed {at:%Y-%m-%d %H:%M} UTC)",
        )
    state = read_in(session).state
    definition = " ".join([schedule.cron, schedule.time_zone, str(schedule.start)]) if schedule else None
    if definition and state.get("definition") != definition:
        # a schedule that is new, or that was changed, has missed nothing yet
        _write_state(session, {**state, "definition": definition, "since": at - LAUNCH})
    known = read_in(session)
    return known, [run for run in known.runs if run["run_id"] in left]


def begin(session: Session, due_at: dt.datetime | None, at: dt.datetime) -> int:
    """Note that a run begins; gives its number."""
    run = session.scalar("SELECT COALESCE(MAX(run_id), 0) + 1 AS next FROM schedule.run")
    row = {"run_id": run, "due_at": due_at, "started_at": at, "status": "running", "process": os.getpid()}
    _insert(session, "schedule.run", row)
    return run


def end(session: Session, run: int, row: dict[str, Any]) -> dict[str, Any]:
    """Note how a run ended; gives its row."""
    before = next(each for each in read_in(session).runs if each["run_id"] == run)
    session.run(exp.delete(table("schedule.run"), where=exp.EQ(this=column("run_id"), expression=literal(run))))
    _insert(session, "schedule.run", {**before, **row})
    return {**before, **row}


def release(session: Session, at: dt.datetime) -> None:
    """Let failures up to now count no more; what was missed meanwhile is not caught up."""
    _write_state(session, {**read_in(session).state, "released_at": at, "since": at})


def _write_state(session: Session, state: dict[str, Any]) -> None:
    session.run(exp.delete(table("schedule.state")))
    _insert(session, "schedule.state", state)


def _insert(session: Session, name: str, row: dict[str, Any]) -> None:
    columns = TABLES[name]
    values = [cast(literal(_naive(row.get(key))), kind) for key, kind in columns.items()]
    target = exp.Schema(this=table(name), expressions=[column(key).this for key in columns])
    session.run(exp.Insert(this=target, expression=exp.select(*values)))


def _naive(value: Any) -> Any:
    return value.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def _aware(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: (value.replace(tzinfo=dt.UTC) if value is not None else None) if kind(key) == "timestamp" else value
        for key, value in row.items()
    }


def kind(name: str) -> str:
    """The type of a column of these tables."""
    return (RUN | STATE)[name]
