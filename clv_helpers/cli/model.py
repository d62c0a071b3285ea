"""`clv model`: the star model, as a list, a graph or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Params, app, as_text
from clv_helpers.config.workbook import Workbook


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
