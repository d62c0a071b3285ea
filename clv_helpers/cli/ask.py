"""`clv sql`: questions to the published tables."""

from __future__ import annotations

from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Params, app
from clv_helpers.cli.translation import translated
from clv_helpers.engines.translate import TARGETS
from clv_helpers.workbook import Workbook


@app.command()
def sql(
    params: Params,
    query: Annotated[str, typer.Argument(help="one SELECT over the published tables")],
    to: Annotated[str, typer.Option(help=f"print it as SQL of {', '.join(TARGETS)}; also of a table, by name")] = "",
    as_json: Json = False,
) -> None:
    """Run a read-only query on the published tables, or print it in another engine's SQL."""
    from clv_helpers import insights

    if to:
        return print(translated(Workbook.open(params), query, to))

    rows = insights.query(Workbook.open(params), query)
    print(rows.to_json(orient="records", date_format="iso") if as_json else rows.to_string(index=False))
