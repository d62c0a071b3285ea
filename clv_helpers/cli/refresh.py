"""`clv refresh`, `schedule` and `stream`: tables kept up to date, by hand, on time, or as events happen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clv_helpers.cli.options import AsOf, Json, Params, Set, app, as_text, parse_changes, progress
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    from clv_helpers.models import RefreshRow


@app.command()
def refresh(params: Params, as_of: AsOf = "", changes: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Bring tables and audiences up to date with the batches: only what changed is computed again."""
    from clv_helpers import run

    _print(run.refresh(Workbook.open(params, as_of, parse_changes(params, changes))), as_json)


@app.command()
def schedule(
    params: Params,
    action: Annotated[Literal["run", "tick", "status"], typer.Argument(help="what to do")] = "status",
    as_json: Json = False,
) -> None:
    """Refresh on time: stay and wait (run), do one run now (tick), or see how the latest went (status)."""
    from clv_helpers.run import schedule

    workbook = Workbook.open(params)
    match action:
        case "run":
            schedule.run_in_foreground(workbook, progress)
        case "tick":
            _print(schedule.tick(workbook, progress), as_json)
        case "status":
            print(as_text(asdict(schedule.status(workbook))) if as_json else schedule.text(workbook))


def _print(rows: list[RefreshRow], as_json: bool) -> None:
    if as_json:
        print(as_text({"tables": [asdict(row) for row in rows]}))
    for row in () if as_json else rows:
        count = "" if row.rows is None else f"{row.rows:,} rows"
        print(f"{row.table:<34} {row.mode:<10} {count:>17} {row.seconds:>9.3f} s")


@app.command()
def stream(
    params: Params,
    port: Annotated[int, typer.Option(min=1, max=65535, help="of 127.0.0.1, where events are POSTed")] = 8765,
    folder: Annotated[Path | None, typer.Option(help="watched for <dataset>/*.jsonl; none: outputs/…/inbox")] = None,
    every: Annotated[float, typer.Option(min=0.05, help="seconds between micro-batches")] = 5,
    as_of: AsOf = "",
    changes: Set = [],  # noqa: B006 (typer copies it)
) -> None:
    """Take events as they happen, by HTTP and from a folder, and keep the tables fresh."""
    from clv_helpers.ingest.streaming import serve
    from clv_helpers.run.refresh_all import refresh_after_ingest

    workbook = Workbook.open(params, as_of, parse_changes(params, changes))
    inbox = folder or workbook.folder / "inbox"
    serve(workbook, port, inbox, every, [refresh_after_ingest], progress)
