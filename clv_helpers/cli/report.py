"""`clv report` and `clv board`: the shared file, and the live board alone."""

from __future__ import annotations

from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Opened, Params, app, progress, say


@app.command()
def report(
    params: Params,
    run: Annotated[str, typer.Option(help="of this run; none: of the latest in which no stage failed")] = "",
    compare: Annotated[str, typer.Option(help="say first what changed since this run")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="print it to a PDF as well, through Chromium")] = False,
    as_json: Json = False,
) -> None:
    """Write the report of a run again; what changed since another; a PDF."""
    from clv_helpers import report as reports
    from clv_helpers.config.workbook import Workbook
    from clv_helpers.report.run_record import find
    from clv_helpers.run import notebooks

    outputs = notebooks.outputs_of(params)
    folder, record = find(outputs, run, progress)
    since = find(outputs, compare) if compare else None
    paths = {"html": reports.write(Workbook.open(params), record, folder, (since[1], since[0]) if since else None)}
    if pdf:
        paths["pdf"] = reports.to_pdf(paths["html"])
    written = {kind: str(path) for kind, path in paths.items()}
    lines = (f"{kind}: {path}" for kind, path in paths.items())
    say(as_json, {"run": record.run, "compared_with": compare or None, **written}, lines)


@app.command()
def board(
    workbook: Opened,
    names: Annotated[list[str] | None, typer.Argument(help="dashboards, the first one open; none: all")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open a browser")] = True,
) -> None:
    """Serve the live board alone, on 127.0.0.1 with a token, until interrupted (needs the extra `board`)."""
    from clv_helpers.dashboards.serve import serve

    serve(workbook, names or [], port, browser, lambda address: progress(f"board: {address}"))
