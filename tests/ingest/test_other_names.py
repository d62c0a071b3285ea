"""An expression may name a header by any of the alternatives of a column: files of two years have one."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook

PARAMS = """
title: Two years
sources:
  purchases:
    path: years
    columns:
      customer_id: [Customer ID, CustomerID]
      occurred_at: Date
      product_id: [StockCode, Code]
      unit_price: {from: [Price, UnitPrice], type: decimal}
      amount: {sql: Quantity * Price}
    leave_out: {postage: "StockCode = 'POST'"}
"""
FIRST = "Customer ID,Date,StockCode,Quantity,Price\na,2024-01-02,1,2,1.50\na,2024-01-02,POST,1,9\n"
SECOND = "CustomerID,Date,Code,Quantity,UnitPrice\na,2025-01-02,1,3,1.50\nb,2025-01-02,POST,1,9\n"


def shop(folder: Path, second: str) -> Workbook:
    (folder / "years").mkdir()
    (folder / "years" / "1.csv").write_text(FIRST)
    (folder / "years" / "2.csv").write_text(second)
    (folder / "shop.yml").write_text(PARAMS)
    return Workbook.open(folder / "shop.yml")


def test_both_years_are_calculated_and_left_out_alike(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path, SECOND)
    assert ingest.source_problems(workbook) == []
    ingest.ingest_files(workbook)
    with workbook.engine.write() as session:
        rows = session.rows("SELECT customer_id, amount FROM lake.purchases ORDER BY occurred_at")
        left_out = session.scalar("SELECT SUM(amount) AS amount FROM lake.left_out WHERE reason = 'postage'")
    assert [(row["customer_id"], float(row["amount"])) for row in rows] == [("a", 3), ("a", 4.5)]
    assert float(left_out) == 18


def test_a_header_that_no_column_has_is_named(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path, SECOND.replace("Quantity", "Pieces"))
    with pytest.raises(ingest.IngestError, match="reads 'Quantity', which is none of the file's headers"):
        ingest.ingest_files(workbook)
