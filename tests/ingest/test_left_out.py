"""Rows left out by rule are counted by reason, with what they come to; none is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

CSV = """customer,day,spent,code,land,mail,state
1,2024-01-03,10,A,UK,,paid
1,2024-01-03,4,POST,UK,,paid
2,2024-01-04,7,A,FR,,paid
0,2024-01-05,9,A,UK,,paid
,2024-01-06,5,A,UK, Ann@example.com ,paid
,2024-01-07,6,A,UK,,paid
3,2024-01-08,3,A,UK,, Cancelled
4,never,2,POST,UK,,paid
"""
RULES = {
    "columns": {"customer_id": "customer", "occurred_at": "day", "amount": "spent", "email": "mail", "status": "state"},
    "where": "land = 'UK'",
    "leave_out": {"postage": "code IN ('POST', 'DOT')"},
    "exclude": ["0"],
    "statuses": {"left_out": ["cancelled"]},
    "guests": "leave out",
}


def shop(folder: Path, **rules: Any) -> Workbook:
    changes = {f"sources.purchases.{key}": value for key, value in (RULES | rules).items()}
    return Workbook.open(write_shop(folder, csv=CSV), overrides=changes)


def left_out(workbook: Workbook) -> dict[str, tuple[int, float]]:
    with workbook.engine.write() as session:
        rows = session.rows("SELECT * FROM lake.left_out")
    assert {row["dataset"] for row in rows} <= {"purchases"}
    return {row["reason"]: (row["rows"], float(row["amount"])) for row in rows}


def customers(workbook: Workbook) -> list[str]:
    with workbook.engine.write() as session:
        return [row["customer_id"] for row in session.rows("SELECT customer_id FROM lake.purchases ORDER BY ALL")]


def test_each_row_is_counted_once(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path)
    (batch,) = ingest.ingest_files(workbook)
    assert (batch.rows_read, batch.rows_accepted, batch.rows_rejected, batch.rows_left_out) == (8, 1, 0, 7)
    assert left_out(workbook) == {
        "where": (1, 7), "postage": (2, 6), "exclude": (1, 9), "guests": (2, 11), "status cancelled": (1, 3)
    }  # fmt: skip
    assert customers(workbook) == ["1"]


def test_guests_are_one_customer_per_address(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path, guests="join by email")
    ingest.ingest_files(workbook)
    assert customers(workbook) == ["1", "email:ann@example.com"]
    assert left_out(workbook)["guests"] == (1, 6)  # who left no address


def test_rows_without_a_customer_are_rejected_unless_told(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(ingest.IngestError, match="2 of 3 rows break the contract"):  # of those that are not left out
        ingest.ingest_files(shop(tmp_path, guests="reject"))


def test_guests_by_email_need_one(outputs: Path, tmp_path: Path) -> None:
    columns = {key: header for key, header in RULES["columns"].items() if key != "email"}  # type: ignore[union-attr, index]
    with pytest.raises(ingest.IngestError, match=r"guests is 'join by email'; for this, columns needs email"):
        ingest.ingest_files(shop(tmp_path, columns=columns, guests="join by email"))


def test_what_is_left_out_goes_and_comes_with_its_batch(outputs: Path, tmp_path: Path) -> None:
    workbook = shop(tmp_path)
    ingest.ingest_files(workbook)
    ingest.revert(workbook, 1)
    assert left_out(workbook) == {}
    ingest.ingest_files(workbook)
    (tmp_path / "purchases.csv").write_text(CSV + "2,2024-01-04,8,A,FR,,paid\n")
    ingest.replay(workbook, 2, tmp_path / "purchases.csv")
    assert left_out(workbook)["where"] == (2, 15)


def test_a_lake_of_before(outputs: Path, tmp_path: Path) -> None:
    """A log without the count gets it, and its batches stay."""
    workbook = shop(tmp_path)
    ingest.ingest_files(workbook)
    with workbook.engine.write() as session:
        session.run("ALTER TABLE lake.batch_log DROP COLUMN rows_left_out")
    assert ingest.ingest_files(workbook)[0].status == "already ingested"
    assert [batch.rows_left_out for batch in ingest.batches(workbook)] in ([], [None])
