"""`clv refresh`, `schedule` and `stream`: tables kept up to date, by hand, on time, or as events happen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from clv_helpers.cli.options import AsOf, Json, Params, Set, app, as_text, parse_changes, progress
from clv_helpers.config.workbook import Workbook


@app.command()
def refresh(params: Params, as_of: AsOf = "", changes: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Bring tables and audiences up to date with the batches: only what changed is computed again."""
    from clv_helpers import run

    rows = run.refresh(Workbook.open(params, as_of, parse_changes(params, changes)), log=progress)
    if as_json:
        print(as_text({"tables": [asdict(row) for row in rows]}))
        return
    for row in rows:
        count = "" if row.rows is None else f"{row.rows:,} rows"
        print(f"{row.table:<34} {row.mode:<10} {count:>17} {row.seconds:>9.3f} s")


@app.command()
def schedule(
    params: Params,
    action: Annotated[Literal["run", "tick", "status", "export"], typer.Argument(help="what to do")] = "status",
    to: Annotated[Literal["cron", "systemd", "airflow"], typer.Option(help="for export: who is to start it")] = "cron",
    as_json: Json = False,
) -> None:
    """Refresh on time: stay and wait (run), do what is due (tick), see where it stands (status), or export."""
    from clv_helpers import run

    workbook = Workbook.open(params)
    match action:
        case "run":
            from clv_helpers.run.scheduler import run_in_foreground

            run_in_foreground(workbook, progress)
        case "tick":
            done = run.tick(workbook, log=progress)
            print(as_text(asdict(done)) if as_json else done.sentence)
            raise typer.Exit(1 if done.outcome == "failed" else 0)
        case "status":
            print(as_text(asdict(run.status(workbook))) if as_json else run.text(workbook))
        case "export":
            unit = run.export(workbook, to)
            print(as_text({"to": to, "unit": unit}) if as_json else unit, end="")


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
