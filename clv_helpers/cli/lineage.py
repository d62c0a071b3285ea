"""`clv lineage`: where a column comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Params, app, as_text
from clv_helpers.config.workbook import Workbook


@app.command()
def lineage(
    params: Params,
    column: Annotated[str, typer.Argument(help="such as insights.fact_value_by_decile.value, or dashboards/value/1")],
    as_json: Json = False,
) -> None:
    """Show where a column of a table, or a widget of a dashboard, comes from."""
    from clv_helpers.insights import lineage_views
    from clv_helpers.insights.column_lineage import Graph
    from clv_helpers.insights.trace import trace

    found = trace(Graph(Workbook.open(params)), column)
    print(as_text(found.as_json()) if as_json else lineage_views.as_text(found))
