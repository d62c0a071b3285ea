"""`clv sql`: questions to the published tables."""

from __future__ import annotations

from typing import Annotated

import typer

from clv_helpers.cli.options import Json, Params, app
from clv_helpers.workbook import Workbook


@app.command()
def sql(
    params: Params,
    query: Annotated[str, typer.Argument(help="one SELECT over the published tables")],
    as_json: Json = False,
) -> None:
    """Run a read-only query on the published tables."""
    from clv_helpers import insights

    rows = insights.query(Workbook.open(params), query)
    print(rows.to_json(orient="records", date_format="iso") if as_json else rows.to_string(index=False))
