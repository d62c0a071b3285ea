"""`clv ingest`, `batches`, `revert` and `replay`: what comes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clv_helpers.cli.options import Json, Opened, command, judged, notice, say
from clv_helpers.progress import on_terminal

if TYPE_CHECKING:
    from clv_helpers.ingest.batch_log import Batch

NAMED = 5  # of the columns that nothing reads: an export of a system has dozens


@command("params/airline.yml", "params/airline.yml new.parquet --dataset purchases")
def ingest(
    workbook: Opened,
    files: Annotated[
        list[Path] | None, typer.Argument(help="files and folders; none: those that the params name")
    ] = None,
    dataset: Annotated[str, typer.Option(help="what the files hold, such as purchases")] = "",
    as_json: Json = False,
) -> None:
    """Bring files in as batches."""
    from clv_helpers import ingest
    from clv_helpers.config.validation import ParamsError, Problem
    from clv_helpers.config.workbook import in_folders

    if bool(files) != bool(dataset) or (dataset and dataset not in workbook.params.sources):
        allowed = ", ".join(workbook.params.sources)
        raise ParamsError(str(workbook.file), [Problem("--dataset", repr(dataset), f"with files, one of {allowed}")])
    with on_terminal():
        batches = ingest.ingest_files(workbook, dataset, in_folders(files or []))
    for batch in batches:
        unread = batch.unknown_columns
        if unread:
            names = ", ".join(unread[:NAMED]) + (" …" if unread[NAMED:] else "")
            columns = f"{len(unread)} column{'s' if unread[1:] else ''}"
            notice(f"{batch.file}: {columns} that sources.{batch.dataset} does not read: {names}")
    _say(batches, as_json)


@command("params/airline.yml")
def batches(workbook: Opened, as_json: Json = False) -> None:
    """Every batch, and where it stands."""
    from clv_helpers import ingest

    _say(ingest.batches(workbook), as_json)


@command("params/airline.yml 3")
def revert(workbook: Opened, batch: int, as_json: Json = False) -> None:
    """Take a batch back; the tables are refreshed."""
    from clv_helpers import ingest
    from clv_helpers.run.refresh_all import refresh_all

    with on_terminal():
        row = ingest.revert(workbook, batch)
        refresh_all(workbook)
    _say([row], as_json)


@command("params/airline.yml 3 mended.parquet")
def replay(workbook: Opened, batch: int, file: Path, as_json: Json = False) -> None:
    """Put a file in the place of a batch; the tables are refreshed."""
    from clv_helpers import ingest
    from clv_helpers.run.refresh_all import refresh_all

    with on_terminal():
        row = ingest.replay(workbook, batch, file)
        refresh_all(workbook)
    _say([row], as_json)


def _say(batches: list[Batch], as_json: bool) -> None:
    say(as_json, {"batches": [asdict(batch) for batch in batches]}, _lines(batches))


def _lines(batches: list[Batch]) -> Iterator[str]:
    """A sum first, then a line for each batch."""
    if not batches:
        yield "no batch yet"
        return
    stands = Counter(batch.status for batch in batches)
    states = ", ".join(judged(f"{count} {status}", status) for status, count in stands.most_common())
    read, accepted, rejected = (
        sum(getattr(batch, name) or 0 for batch in batches) for name in ("rows_read", "rows_accepted", "rows_rejected")
    )
    rows = f"{read:,} rows read, {accepted:,} accepted, {judged(f'{rejected:,} rejected', 'rejected' * (rejected > 0))}"
    yield f"{len(batches)} batch{'es' * (len(batches) != 1)}: {states}; {rows}"
    yield f"{'batch':>5}  {'dataset':<15} {'file':<32} {'status':<17} {'read':>12} {'accepted':>12} {'rejected':>9}"
    for batch in batches:
        read, accepted, rejected = (n or 0 for n in (batch.rows_read, batch.rows_accepted, batch.rows_rejected))
        place = (
            f"{batch.batch_id:>5}  {batch.dataset:<15} {batch.file:<32} {judged(f'{batch.status:<17}', batch.status)}"
        )
        yield f"{place} {read:>12,} {accepted:>12,} {rejected:>9,}"
        if batch.status == "failed":
            yield f"       {batch.reason}"
