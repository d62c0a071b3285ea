"""`clv sql`: questions to the published tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Params, app
from clv_helpers.cli.translation import translated
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.translate import TARGETS


@app.command()
def sql(
    params: Params,
    query: Annotated[str, typer.Argument(help="one SELECT over the published tables")] = "",
    file: Annotated[Path | None, typer.Option(help="where the SELECT stands, in place of the argument")] = None,
    rows: Annotated[int, typer.Option(min=1, help="at most so many rows")] = 1_000,
    seconds: Annotated[float, typer.Option(min=0.001, help="at most so many seconds")] = 30,
    to: Annotated[str, typer.Option(help=f"print it as SQL of {', '.join(TARGETS)}; also of a table, by name")] = "",
    as_json: Json = False,
) -> None:
    """Run a read-only query on the published tables, or print it in another engine's SQL."""
    from clv_helpers import insights

    if bool(query) == bool(file):
        raise ParamsError("clv sql", [Problem("the query", "given twice" if query else "missing", "SQL, or --file")])
    text = _read(file) if file else query
    if to:
        return print(translated(Workbook.open(params), text, to))
    answer = insights.query(Workbook.open(params), text, file, rows, seconds)
    print(answer.frame.to_json(orient="records", date_format="iso") if as_json else answer)
    if answer.note:
        print(answer.note, file=sys.stderr)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ParamsError(str(file), [Problem("the file", f"not readable ({reason})", "a SELECT, as text")]) from None
