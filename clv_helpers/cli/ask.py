"""`clv sql`, `model` and `lineage`: questions to the published tables, and to the model that they make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from clv_helpers.cli.options import Json, Opened, command, notice, say
from clv_helpers.engines import TARGETS


@command(
    'params/airline.yml "SELECT COUNT(*) FROM profile.customer"',
    "params/airline.yml insights.fact_value_by_decile --to spark",
)
def sql(
    workbook: Opened,
    query: Annotated[str, typer.Argument(help="one SELECT over the published tables")] = "",
    file: Annotated[Path | None, typer.Option(help="where the SELECT stands, in place of the argument")] = None,
    rows: Annotated[int, typer.Option(min=1, help="at most so many rows")] = 1_000,
    seconds: Annotated[float, typer.Option(min=0.001, help="at most so many seconds")] = 30,
    to: Annotated[str, typer.Option(help=f"print it as SQL of {', '.join(TARGETS)}; also of a table, by name")] = "",
    as_json: Json = False,
) -> None:
    """Run a read-only query on the published tables, or print it in another engine's SQL."""
    from clv_helpers.cli.translation import translated
    from clv_helpers.config.validation import ParamsError, Problem
    from clv_helpers.insights.analyst_sql import exact

    if bool(query) == bool(file):
        raise ParamsError("clv sql", [Problem("the query", "given twice" if query else "missing", "SQL, or --file")])
    text = _read(file) if file else query
    if to:
        sql = translated(workbook, text, to)
        say(as_json, {"to": to, "sql": sql}, [sql])
        return
    answer = exact(workbook, text, file, rows, seconds)
    found = json.loads(answer.frame.to_json(orient="records", date_format="iso")) if as_json else []
    say(as_json, {"rows": found, "cut_off_after": answer.cut_at}, [str(answer)])
    if answer.note:
        notice(answer.note)


@command("params/airline.yml", "params/airline.yml campaign")
def model(
    workbook: Opened,
    about: Annotated[str, typer.Argument(help="only tables with this in their name, or in what one row is")] = "",
    svg: Annotated[Path | None, typer.Option(help="write the picture to this file")] = None,
    as_json: Json = False,
) -> None:
    """The tables of the insights model, what one row of each is, and where its columns lead."""
    from clv_helpers import insights
    from clv_helpers.files import write_atomically

    if svg:
        write_atomically(svg, insights.diagram(workbook).bundle["text/html"])
    graph = _about(insights.as_graph(workbook), about)
    say(as_json, graph, _tables(graph))


def _about(graph: dict[str, Any], about: str) -> dict[str, Any]:
    """The tables that a word is about, and where their columns lead. Raises ParamsError where there is none."""
    from clv_helpers.config.validation import ParamsError, Problem, nearest

    nodes = [node for node in graph["nodes"] if about.casefold() in f"{node['table']} {node['one_row']}".casefold()]
    if not nodes:
        known = [node["table"] for node in graph["nodes"]]
        near = nearest(about, [*known, *(name.partition(".")[2] for name in known)])
        allowed = near if near.startswith("did you mean") else "a word of a table that clv model PARAMS lists"
        raise ParamsError("clv model", [Problem("the word", repr(about), allowed)])
    names = {node["table"] for node in nodes}
    return {**graph, "nodes": nodes, "edges": [edge for edge in graph["edges"] if edge["table"] in names]}


def _tables(graph: dict[str, Any]) -> Iterator[str]:
    own = sum(node["own"] for node in graph["nodes"])
    count = len(graph["nodes"])
    yield f"{count} table{'s' * (count != 1)}, {own} of them your own"
    for node in sorted(graph["nodes"], key=lambda node: node["table"]):
        own = " (your own)" if node["own"] else ""
        yield f"{node['table']}{own}: {node['one_row']}"
        yield f"    key: {', '.join(node['key'])}"
        for edge in graph["edges"]:
            if edge["table"] == node["table"]:
                yield f"    {edge['column']} -> {edge['to_table']}.{edge['to_column']}"


@command("params/airline.yml insights.fact_value_by_decile.value", "params/airline.yml dashboards/value/1")
def lineage(
    workbook: Opened,
    column: Annotated[str, typer.Argument(help="such as insights.fact_value_by_decile.value, or dashboards/value/1")],
    as_json: Json = False,
) -> None:
    """Show where a column of a table, or a widget of a dashboard, comes from."""
    from clv_helpers.insights import lineage_views
    from clv_helpers.models.column_lineage import Graph

    origins = lineage_views.trace(Graph(workbook), column)
    say(as_json, origins.as_json(), [lineage_views.as_text(origins)])


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        from clv_helpers.config.validation import ParamsError, Problem

        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ParamsError(str(file), [Problem("the file", f"not readable ({reason})", "a SELECT, as text")]) from None
