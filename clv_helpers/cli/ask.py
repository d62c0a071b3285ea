"""`clv sql`, `model` and `lineage`: questions to the published tables, and to the model that they make."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Params, app, as_text
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
        print(translated(Workbook.open(params), text, to))
        return
    answer = insights.query(Workbook.open(params), text, file, rows, seconds)
    print(answer.frame.to_json(orient="records", date_format="iso") if as_json else answer)
    if answer.note:
        print(answer.note, file=sys.stderr)


@app.command()
def model(
    params: Params,
    svg: Annotated[Path | None, typer.Option(help="write the picture to this file")] = None,
    as_json: Json = False,
) -> None:
    """The tables of the insights model, what one row of each is, and where its columns lead."""
    from clv_helpers import insights
    from clv_helpers.files import write_atomically

    workbook = Workbook.open(params)
    if svg:
        write_atomically(svg, insights.diagram(workbook).bundle["text/html"])
    graph = insights.as_graph(workbook)
    if as_json:
        print(as_text(graph))
        return
    for node in sorted(graph["nodes"], key=lambda node: node["table"]):
        own = " (your own)" if node["own"] else ""
        print(f"{node['table']}{own}: {node['one_row']}")
        print(f"    key: {', '.join(node['key'])}")
        for edge in graph["edges"]:
            if edge["table"] == node["table"]:
                print(f"    {edge['column']} -> {edge['to_table']}.{edge['to_column']}")


@app.command()
def lineage(
    params: Params,
    column: Annotated[str, typer.Argument(help="such as insights.fact_value_by_decile.value, or dashboards/value/1")],
    as_json: Json = False,
) -> None:
    """Show where a column of a table, or a widget of a dashboard, comes from."""
    from clv_helpers.insights import lineage_views
    from clv_helpers.insights.column_lineage import Graph

    origins = lineage_views.trace(Graph(Workbook.open(params)), column)
    print(as_text(origins.as_json()) if as_json else lineage_views.as_text(origins))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ParamsError(str(file), [Problem("the file", f"not readable ({reason})", "a SELECT, as text")]) from None
