"""What staging makes of the lines of a file, without a lake."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import duckdb

from clv_helpers.config.params import Params
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session
from clv_helpers.ingest import staging


def staged(
    folder: Path, rows: list[dict[str, Any]] | Path, more: dict[str, Any] | None = None, **source: Any
) -> list[dict]:
    """The rows of `staged`; `source` are keys of sources.purchases, `more` those of the workbook."""
    if "columns" in source:  # a workbook has an amount; where a test needs none, each row spends one
        source["columns"] = {"amount": {"sql": "1"}} | source["columns"]
    if isinstance(rows, Path):
        file = rows
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        file = folder / "rows.csv"
        file.write_text(text.getvalue(), encoding="utf-8")
    params = Params(title="A shop", sources={"purchases": {"path": str(file), **source}}, **(more or {}))
    workbook = Workbook(folder / "shop.yml", params)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        session = Session(connection)
        contract, _ = staging.columns_of_file(workbook, "purchases", file)
        staging.stage(session, workbook, "purchases", file, contract)
        return session.rows("SELECT * FROM staged ORDER BY _row")
