"""`clv schedule`: refresh on time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from clv_helpers.cli.options import Json, Params, app, as_text, progress
from clv_helpers.config.workbook import Workbook


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
