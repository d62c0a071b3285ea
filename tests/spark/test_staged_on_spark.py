"""What an expression, a rule and a rate make of a file is the same on Spark: DuckDB reads it for both."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

CSV = """customer,day,spent,n,cur
a,2024-01-03T23:30:00Z,10,2,EUR
 b,2024-01-04,20,1,gbp
c,2024-01-05,5,1,SEK
,2024-01-05,7,1,GBP
"""


@pytest.mark.parametrize("engine", ["duckdb", "spark://local[1]"])
def test_rows_are_read_alike(java: None, outputs: Path, tmp_path: Path, engine: str) -> None:
    (tmp_path / "rates.csv").write_text("date,currency,rate\n2024-01-01,EUR,0.5\n2024-01-04,EUR,0.8\n")
    columns = {"customer_id": "customer", "occurred_at": "day", "amount": {"sql": "spent * n"}, "currency": "cur"}
    changes = {
        "engine": engine, "spark_above": 0, "rates": "rates.csv", "value.unit": "GBP", "time_zone": "Europe/Berlin",
        "sources.purchases.columns": columns, "sources.purchases.guests": "leave out",
        "sources.purchases.max_rejected_share": 0.5,
    }  # fmt: skip
    workbook = Workbook.open(write_shop(tmp_path, csv=CSV), overrides=changes)
    (batch,) = ingest.ingest_files(workbook)
    assert (batch.rows_accepted, batch.rows_rejected, batch.rows_left_out) == (2, 1, 1)
    with workbook.engine.write() as session:
        rows = session.rows("SELECT customer_id, occurred_at, amount FROM lake.purchases ORDER BY customer_id")
        left_out = session.rows("SELECT reason, rows, amount FROM lake.left_out")
    assert [(row["customer_id"], f"{row['occurred_at']:%d %H:%M}", float(row["amount"])) for row in rows] == [
        ("a", "04 00:30", 16.0), ("b", "04 00:00", 20.0)
    ]  # fmt: skip
    assert [(row["reason"], row["rows"], float(row["amount"])) for row in left_out] == [("guests", 1, 7.0)]
