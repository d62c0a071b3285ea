"""Rows written as a file that a workbook's source reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook


def write_source(workbook: Workbook, dataset: str, rows: pd.DataFrame, file: Path) -> Path:
    """Write rows under our column names as a CSV file with the headers that the workbook's params map."""
    headers = {name: column.header for name, column in workbook.params.contract(dataset).items()}
    rows.reindex(columns=list(headers)).rename(columns=headers).to_csv(file, index=False)
    return file


def shop_of_orders(folder: Path, params: str, orders: pd.DataFrame) -> Workbook:
    """A shop whose params read `orders.csv`, with its tables up to the insights."""
    orders.to_csv(folder / "orders.csv", index=False)
    (folder / "shop.yml").write_text(params)
    workbook = Workbook.open(folder / "shop.yml")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "insights")
    return workbook
