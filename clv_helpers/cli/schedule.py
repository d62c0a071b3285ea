"""`clv schedule`: refresh on time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from clv_helpers.cli.options import Json, Params, app, as_text
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import notebooks

Action = Literal["run", "tick", "status", "release", "export"]


@app.command()
def schedule(
    params: Params,
    action: Annotated[Action, typer.Argument(help="run, tick, status, release or export")] = "status",
    to: Annotated[Literal["cron", "systemd", "airflow"], typer.Option(help="for export: who is to start it")] = "cron",
    as_json: Json = False,
) -> None:
    """Refresh on time: stay and wait (run), do what is due (tick), see where it stands (status), go on (release)."""
    from clv_helpers import run as schedule

    workbook = Workbook.open(params)
    match action:
        case "run":
            from clv_helpers.run.scheduler import run

            run(workbook, notebooks.say_on_stderr)
        case "tick":
            done = schedule.tick(workbook, say=notebooks.say_on_stderr)
            print(as_text(asdict(done)) if as_json else done.sentence)
            raise typer.Exit(1 if done.outcome in ("failed", "quarantined") else 0)
        case "status":
            found = schedule.status(workbook)
            print(as_text(found) if as_json else schedule.text(found, workbook.params.schedule))
        case "release":
            sentence = schedule.release(workbook)
            print(as_text({"released": sentence}) if as_json else sentence)
        case "export":
            unit = schedule.export(workbook, to)
            print(as_text({"to": to, "unit": unit}) if as_json else unit, end="")
