"""`clv refresh`, `schedule` and `stream`: tables kept up to date, by hand, on time, or as events happen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clv_helpers.cli.options import AsOf, Json, Opened, Params, Set, command, judged, notice, opened, say
from clv_helpers.progress import on_terminal

if TYPE_CHECKING:
    from clv_helpers.models import RefreshRow


@command("params/airline.yml", "params/airline.yml --as-of 2025-07-01")
def refresh(params: Params, as_of: AsOf = "", changes: Set = None, as_json: Json = False) -> None:
    """Bring tables and audiences up to date with the batches: only what changed is computed again."""
    from clv_helpers import run

    workbook = opened(params, as_of, changes)
    with on_terminal():
        rows = run.refresh(workbook)
    _say(rows, as_json)


@command("params/airline.yml status", "params/airline.yml run")
def schedule(
    workbook: Opened,
    action: Annotated[Literal["run", "tick", "status"], typer.Argument(help="what to do")] = "status",
    as_json: Json = False,
) -> None:
    """Refresh, or run the notebooks, on time: wait (run), do one run now (tick), see how the latest went (status)."""
    from clv_helpers.run import schedule

    match action:
        case "run":
            schedule.run_in_foreground(workbook, notice)
        case "tick":
            with on_terminal():
                rows = schedule.tick(workbook, notice)
            _say(rows, as_json)
        case "status":
            say(as_json, asdict(schedule.status(workbook)), [schedule.text(workbook)])


@command("params/airline.yml --port 8765")
def stream(
    params: Params,
    port: Annotated[int, typer.Option(min=1, max=65535, help="of 127.0.0.1, where events are POSTed")] = 8765,
    folder: Annotated[Path | None, typer.Option(help="watched for <dataset>/*.jsonl; none: outputs/…/inbox")] = None,
    every: Annotated[float, typer.Option(min=0.05, help="seconds between micro-batches")] = 5,
    settle: Annotated[float, typer.Option(min=0, help="seconds until rankings, sums and the prediction follow")] = 30,
    as_of: AsOf = "",
    changes: Set = None,
) -> None:
    """Take events as they happen, by HTTP and from a folder, and keep the tables fresh."""
    from clv_helpers.ingest.streaming import serve
    from clv_helpers.run.refresh_all import refresh_after_ingest

    workbook = opened(params, as_of, changes)
    inbox = folder or workbook.folder / "inbox"
    serve(workbook, port, inbox, refresh_after_ingest, every=every, settle=settle, log=notice)


def _say(rows: list[RefreshRow], as_json: bool) -> None:
    say(as_json, {"tables": [asdict(row) for row in rows]}, _lines(rows))


def _lines(rows: list[RefreshRow]) -> Iterator[str]:
    """A sum first, then the tables that were written; those that were not are many, and say nothing new."""
    written = [row for row in rows if row.is_changed]
    seconds = sum(row.seconds for row in rows)
    yield f"{len(rows)} tables are up to date, {len(written)} of them written now, in {seconds:.1f} s"
    for row in written:
        count = "" if row.rows is None else f"{row.rows:,} rows"
        line = f"{row.table:<46} {judged(f'{row.mode:<10}', row.mode)} {count:>17}"
        yield line + (f" {row.seconds:>9.3f} s" if row.seconds else "")
