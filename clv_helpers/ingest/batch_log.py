"""The ledger of batches: loading → loaded → success or failed, later perhaps reverted. Rows are only added."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlglot import exp

from clv_helpers.engines.dialect import bind, cast, column, literal, table
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
    "first_event_at": "timestamp",
    "last_event_at": "timestamp",
    "status": "text",
    "reason": "text",
    "step": "integer",
    "at": "timestamp",
}


def create(session: Session) -> None:
    """Make the empty ledger, and close what a killed process left open: nothing of those batches is visible.

    Whoever writes holds the lake alone, so a batch that is still loading belongs to a process that is gone.
    """
    session.create_if_absent("lake.batch_log", COLUMNS)
    _refresh(session)
    for batch in session.rows("SELECT _batch_id FROM lake.batches WHERE status IN ('loading', 'loaded')"):
        note(session, batch["_batch_id"], "failed", reason="interrupted")


def begin(session: Session, dataset: str, file: str, sha256: str) -> int:
    """Open a batch; gives its id, one more than any before."""
    batch = session.scalar("SELECT COALESCE(MAX(_batch_id), 0) + 1 AS next FROM lake.batch_log")
    _append(session, {"_batch_id": batch, "dataset": dataset, "file": file, "sha256": sha256, "status": "loading"})
    return batch


def note(session: Session, batch: int, status: str, **facts: Any) -> dict[str, Any]:
    """Note that a batch took a step, with what is known of it now; gives its row of the ledger."""
    before = find(session, batch)
    _append(session, {**{name: before[name] for name in COLUMNS if name in before}, **facts, "status": status})
    return find(session, batch)


def find(session: Session, batch: int) -> dict[str, Any]:
    """One batch's row of the ledger. Raises KeyError where there is none."""
    rows = session.rows("SELECT * FROM lake.batches WHERE _batch_id = $batch", batch=batch)
    if not rows:
        raise KeyError(batch)
    return rows[0]


def _append(session: Session, row: dict[str, Any]) -> None:
    row = {**row, "step": STEPS.index(row["status"]), "at": dt.datetime.now(dt.UTC).replace(tzinfo=None)}
    values = exp.select(*(cast(literal(row.get(name)), kind) for name, kind in COLUMNS.items()))
    target = exp.Schema(this=table("lake.batch_log"), expressions=[column(name).this for name in COLUMNS])
    session.run(exp.Insert(this=target, expression=values))
    _refresh(session)


def _refresh(session: Session) -> None:
    batches = read_table(SQL_FOLDER / "lake" / "batches.sql")
    session.create_table(batches.name, bind(batches.query, {}))
