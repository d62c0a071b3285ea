"""Which batch may have broken a table: those of what it reads that came in since the last refresh that held."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.models.plan import all_tables
from clv_helpers.models.table_file import TableError

MOST = 3  # batches that are named
BATCHES = """
    SELECT _batch_id, dataset, file, rows_accepted, first_event_at, last_event_at FROM lake.batches
    WHERE status = 'success' ORDER BY _batch_id
"""


@contextlib.contextmanager
def refreshing(workbook: Workbook) -> Iterator[Session]:
    """A transaction on the lake that is published at its end; the error of a table says from which batch it may come.

    Raises TableError; the last published tables stay as they were.
    """
    try:
        with workbook.engine.write(publish=True) as session:
            yield session
    except TableError as error:
        raise TableError(f"{error}{_lead(workbook, error.table)}", error.table) from None


def _lead(workbook: Workbook, name: str) -> str:
    """The batches that may be at fault, and what to do; empty where nothing that the table reads has come in."""
    with contextlib.suppress(UserError):  # what is wrong has been said; only the lead is missing
        read = _datasets(workbook, name)
        batches = [batch for batch in _since_published(workbook) if batch["dataset"] in read]
        named = ", ".join(_told(batch) for batch in batches[:MOST])
        if batches:
            more = f" and {len(batches) - MOST:,} more" if len(batches) > MOST else ""
            number = batches[0]["_batch_id"] if len(batches) == 1 else "N"
            since = "since the tables were last published" if workbook.engine.published.exists() else "so far"
            takes_back = f"clv revert {workbook.file} {number} takes a batch back"
            return f"\nOf what it reads, this came in {since}: {named}{more}. {takes_back}"
    return ""


def _told(batch: dict[str, Any]) -> str:
    rows, first, last = batch["rows_accepted"], batch["first_event_at"], batch["last_event_at"]
    days = f", {first.date()} to {last.date()}" if first and last else ""
    return f"batch {batch['_batch_id']} ({batch['file']}, {rows or 0:,} rows of {batch['dataset']}{days})"


def _since_published(workbook: Workbook) -> list[dict[str, Any]]:
    with workbook.engine.read_latest() as session:
        batches = session.rows(BATCHES)
    try:
        with workbook.engine.read() as session:
            known = {row["_batch_id"] for row in session.rows(BATCHES)} if session.has_table("lake.batches") else set()
    except NothingPublished:
        known = set()
    return [batch for batch in batches if batch["_batch_id"] not in known]


def _datasets(workbook: Workbook, name: str) -> set[str]:
    """The datasets that a table is made of, through whatever tables."""
    models = {made: model for model in all_tables(workbook) for made in model.makes}
    found: set[str] = set()
    wanted = [name]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted += models[name].depends_on if name in models else ()
    return {dataset for dataset in workbook.params.datasets if f"lake.{dataset}" in found}
