"""`clv ingest`, `batches`, `revert` and `replay`: what comes in."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clv_helpers.cli.options import Json, Params, app, as_text
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook, in_folders

if TYPE_CHECKING:
    from clv_helpers.ingest.batch_log import Batch


@app.command()
def ingest(
    params: Params,
    files: Annotated[list[Path], typer.Argument(help="files and folders; none: those that the params name")] = [],  # noqa: B006
    dataset: Annotated[str, typer.Option(help="what the files hold, such as purchases")] = "",
    as_json: Json = False,
) -> None:
    """Bring files in as batches."""
    from clv_helpers import ingest

    workbook = Workbook.open(params)
    if bool(files) != bool(dataset) or (dataset and dataset not in workbook.params.sources):
        allowed = ", ".join(workbook.params.sources)
        raise ParamsError(str(params), [Problem("--dataset", repr(dataset), f"with files, one of {allowed}")])
    batches = ingest.ingest_files(workbook, dataset, in_folders(files) or None)
    for batch in batches:
        if batch.unknown_columns:
            names = ", ".join(batch.unknown_columns)
            print(f"{batch.file}: columns that sources.{batch.dataset} does not know: {names}", file=sys.stderr)
    _print_batches(batches, as_json)


@app.command()
def batches(params: Params, as_json: Json = False) -> None:
    """Every batch, and where it stands."""
    from clv_helpers import ingest

    _print_batches(ingest.batches(Workbook.open(params)), as_json)


@app.command()
def revert(params: Params, batch: int, as_json: Json = False) -> None:
    """Take a batch back; the tables are refreshed."""
    from clv_helpers import ingest
    from clv_helpers.run.refresh_all import refresh_all

    workbook = Workbook.open(params)
    row = ingest.revert(workbook, batch)
    refresh_all(workbook)
    _print_batches([row], as_json)


@app.command()
def replay(params: Params, batch: int, file: Path, as_json: Json = False) -> None:
    """Put a file in the place of a batch; the tables are refreshed."""
    from clv_helpers import ingest
    from clv_helpers.run.refresh_all import refresh_all

    workbook = Workbook.open(params)
    row = ingest.replay(workbook, batch, file)
    refresh_all(workbook)
    _print_batches([row], as_json)


def _print_batches(batches: list[Batch], as_json: bool) -> None:
    if as_json:
        print(as_text([dataclasses.asdict(batch) for batch in batches]))
        return
    print(f"{'batch':>5}  {'dataset':<15} {'file':<32} {'status':<17} {'read':>12} {'accepted':>12} {'rejected':>9}")
    for batch in batches:
        counts = [f"{count or 0:,}" for count in (batch.rows_read, batch.rows_accepted, batch.rows_rejected)]
        print(
            f"{batch.batch_id:>5}  {batch.dataset:<15} {batch.file:<32} {batch.status:<17} "
            f"{counts[0]:>12} {counts[1]:>12} {counts[2]:>9}"
        )
        if batch.status == "failed":
            print(f"       {batch.reason}")
