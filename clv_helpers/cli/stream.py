"""`clv stream`: events as they happen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clv_helpers.cli.options import AsOf, Params, Set, app, parse_changes
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import notebooks


@app.command()
def stream(
    params: Params,
    port: Annotated[int, typer.Option(min=1, max=65535, help="of 127.0.0.1, where events are POSTed")] = 8765,
    folder: Annotated[Path | None, typer.Option(help="watched for <dataset>/*.jsonl; none: outputs/…/inbox")] = None,
    every: Annotated[float, typer.Option(min=0.05, help="seconds between micro-batches")] = 5,
    as_of: AsOf = "",
    changes: Set = [],  # noqa: B006
) -> None:
    """Take events as they happen, by HTTP and from a folder, and keep the tables fresh."""
    from clv_helpers import audiences
    from clv_helpers.ingest.streaming import serve
    from clv_helpers.run.refresh_all import refresh_after_ingest

    workbook = Workbook.open(params, as_of, parse_changes(params, changes))
    serve(
        workbook,
        port,
        folder or workbook.folder / "inbox",
        every,
        [refresh_after_ingest, audiences.follow],
        notebooks.say_on_stderr,
    )
