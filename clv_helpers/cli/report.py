"""`clv report` and `clv board`: the shared file, and the live board alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from clv_helpers.cli.options import Json, Opened, Params, command, notice, say


@command("params/airline.yml --pdf", "params/airline.yml deliver")
def report(
    params: Params,
    action: Annotated[
        Literal["write", "deliver"], typer.Argument(help="write it again, or bring it to its readers")
    ] = "write",
    run: Annotated[str, typer.Option(help="of this run; none: of the latest in which no stage failed")] = "",
    compare: Annotated[str, typer.Option(help="say first what changed since this run")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="print it to a PDF as well, through Chromium")] = False,
    paper: Annotated[
        Literal["A4", "letter"] | None,
        typer.Option(case_sensitive=False, help="of the PDF; none: as the params say"),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="deliver also to who is in doubt")] = False,
    as_json: Json = False,
) -> None:
    """Write the report of a run again; what changed since another; a PDF; or deliver it as the params say."""
    if action == "deliver":
        _deliver(params, run, again, as_json)
        return
    from clv_helpers import report as reports
    from clv_helpers.config.workbook import Workbook
    from clv_helpers.report.printing import paper_of
    from clv_helpers.report.run_record import find
    from clv_helpers.run import notebooks

    outputs = notebooks.outputs_of(params)
    folder, record = find(outputs, run, notice)
    since = find(outputs, compare) if compare else None
    workbook = Workbook.open(params)
    paths = {"html": reports.write(workbook, record, folder, (since[1], since[0]) if since else None)}
    if pdf:
        paths["pdf"] = reports.to_pdf(paths["html"], paper or paper_of(workbook.params))
    written = {kind: str(path) for kind, path in paths.items()}
    lines = (f"{kind}: {path}" for kind, path in paths.items())
    say(as_json, {"run": record.run, "compared_with": compare or None, **written}, lines)


def _deliver(params: Path, run: str, again: bool, as_json: bool) -> None:
    from clv_helpers import report as reports
    from clv_helpers.config.workbook import Workbook

    told = reports.deliver(Workbook.open(params), run, again, notice)
    say(as_json, asdict(told), [told.sentence])
    raise typer.Exit(0 if told.is_done else 1)


@command("params/airline.yml", "params/airline.yml value customers")
def board(
    workbook: Opened,
    names: Annotated[list[str] | None, typer.Argument(help="dashboards, the first one open; none: all")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open a browser")] = True,
) -> None:
    """Serve the live board alone, on 127.0.0.1 with a token, until interrupted (needs the extra `board`)."""
    from clv_helpers.dashboards.serve import serve

    serve(workbook, names or [], port, browser, lambda address: notice(f"board: {address}"))
