"""The log of batches: loading → loaded → success or failed, later perhaps reverted. Rows are only added."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from clv_helpers.engines.dialect import bind, cast, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.models.table_file import SQL_FOLDER, read_table

STEPS = ("loading", "loaded", "success", "failed", "reverted")
COLUMNS = {
    "_batch_id": "integer",
    "dataset": "text",
    "file": "text",
    "sha256": "text",
    "rows_read": "integer",
    "rows_accepted": "integer",
    "rows_rejected": "integer",
    "rows_left_out": "integer",
    "first_event_at": "timestamp",
    "last_event_at": "timestamp",
    "status": "text",
    "reason": "text",
    "step": "integer",
    "at": "timestamp",
    "version": "text",
}
LATER = ("rows_left_out", "version")  # which a lake of an earlier version lacks


@dataclass(frozen=True)
class Batch:
    """Where one batch stands: a row of lake.batches. Moments are in UTC, `sha256` is of the file.

    `status`: one of STEPS, or `already ingested` of a file that is in the lake. `version`: of a file from elsewhere
    what its store calls this state of it. `unknown_columns`: the file's headers that the contract does not know, where
    it was just read.
    """

    batch_id: int
    dataset: str
    file: str
    sha256: str
    status: str
    rows_read: int | None
    rows_accepted: int | None
    rows_rejected: int | None
    first_event_at: dt.datetime | None
    last_event_at: dt.datetime | None
    reason: str | None
    started_at: dt.datetime
    changed_at: dt.datetime
    rows_left_out: int | None = None
    version: str | None = None
    unknown_columns: tuple[str, ...] = ()


def prepare(session: Session) -> None:
    """Make the empty log, and close what a killed process left open: nothing of those batches is visible.

    Whoever writes holds the lake alone, so a batch that is still loading belongs to a process that is gone.
    """
    session.create_if_absent("lake.batch_log", COLUMNS)
    present = session.columns(table("lake.batch_log"))
    for name in LATER:
        if name not in present:
            session.add_column("lake.batch_log", name, COLUMNS[name])
    _refresh(session)
    for batch in batches(session, "status IN ('loading', 'loaded')"):
        advance(session, batch.batch_id, "failed", reason="interrupted")


def begin(session: Session, dataset: str, file: str, sha256: str, version: str = "") -> int:
    """Open a batch; gives its id, one more than any before."""
    batch_id = session.scalar("SELECT COALESCE(MAX(_batch_id), 0) + 1 AS next FROM lake.batch_log")
    known = {"_batch_id": batch_id, "dataset": dataset, "file": file, "sha256": sha256, "version": version or None}
    _append(session, known, "loading")
    return batch_id


def advance(session: Session, batch_id: int, status: str, **facts: Any) -> Batch:
    """Log that a batch took a step, with what is known of it now. Raises KeyError where there is no such batch."""
    known = session.rows("SELECT * FROM lake.batches WHERE _batch_id = $batch", batch=batch_id)
    if not known:
        raise KeyError(batch_id)
    _append(session, {**known[0], **facts}, status)
    return batches(session, "_batch_id = $batch", batch=batch_id)[0]


def remark(session: Session, batch_id: int, text: str) -> None:
    """Say of a batch in the lake what became of its rows since, in the place of what was said of that before."""
    session.run(
        "UPDATE lake.batch_log SET reason = CASE WHEN reason LIKE 'replaces %' "
        "THEN REGEXP_REPLACE(reason, ';.*', '') || '; ' || $text ELSE $text END "
        "WHERE _batch_id = $batch AND status = 'success'",
        batch=batch_id,
        text=text,
    )
    _refresh(session)


def batches(session: Session, condition: str = "TRUE", **bindings: Any) -> list[Batch]:
    """The batches that meet a condition on the columns of lake.batches, oldest first."""
    rows = session.rows(f"SELECT * FROM lake.batches WHERE {condition} ORDER BY _batch_id", **bindings)
    return [Batch(batch_id=row.pop("_batch_id"), **row) for row in rows]


def _append(session: Session, facts: dict[str, Any], status: str) -> None:
    row = {**facts, "status": status, "step": STEPS.index(status), "at": dt.datetime.now(dt.UTC).replace(tzinfo=None)}
    values = [cast(literal(row.get(name)), kind).as_(name) for name, kind in COLUMNS.items()]
    session.run("INSERT INTO lake.batch_log BY NAME SELECT $values", values=values)
    _refresh_one(session, row["_batch_id"])


def _refresh(session: Session) -> None:
    batches = read_table(SQL_FOLDER / "lake" / "batches.sql")
    session.create_table(batches.name, bind(batches.query, {}))


def _refresh_one(session: Session, batch_id: int) -> None:
    """The row of one batch alone: of a stream there are thousands, and each takes three steps."""
    batches = read_table(SQL_FOLDER / "lake" / "batches.sql")
    session.run("DELETE FROM lake.batches WHERE _batch_id = $batch", batch=batch_id)
    session.run(
        "INSERT INTO lake.batches BY NAME SELECT * FROM $batches AS b WHERE _batch_id = $batch",
        batches=batches.query,
        batch=batch_id,
    )
