"""Expressions calculate with the headers of one row, as the file writes them, and with nothing beside."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from staged import staged

from clv_helpers import ingest
from clv_helpers.config.row_expressions import read_expression

LINE = {
    "c": "a",
    "d": "2024-01-03",
    "Quantity": "3",
    "Price": "2.50",
    "Unit Price": "$1,000.50",
    "Kind": " sale ",
    "No": "C7",
}


def one(folder: Path, sql: str, name: str = "amount", line: dict[str, str] | None = None, **source: Any) -> Any:
    columns = {
        "customer_id": "c",
        "occurred_at": "d",
        name: {"sql": sql, **({} if name == "amount" else {"type": "text"})},
    }
    (row,) = staged(folder, [LINE | (line or {})], columns=columns, **source)
    return row["_reason"] or row[name]


@pytest.mark.parametrize(
    ("sql", "amount"),
    [
        ("Quantity * Price", 7.5),
        ("quantity * PRICE", 7.5),
        ('Quantity * "Unit Price"', 3001.5),
        ("-Price", -2.5),
        ("CASE WHEN No LIKE 'C%' THEN -Quantity * Price ELSE Quantity * Price END", -7.5),
        ("CASE WHEN TRIM(Kind) = 'sale' THEN Price ELSE 0 END", 2.5),
        ("COALESCE(Price, 0) / 2", 1.25),
        ("ROUND(Price * 1.1, 1)", 2.8),
        ("Price", 2.5),
        ("GREATEST(Price, Quantity)", 3),
        ("CASE WHEN Quantity > Price THEN 1 ELSE 2 END", 1),
    ],
)
def test_amounts_are_calculated(tmp_path: Path, sql: str, amount: float) -> None:
    assert one(tmp_path, sql) == Decimal(str(amount)).quantize(Decimal("0.0001"))


def test_headers_are_numbers_as_the_file_writes_them(tmp_path: Path) -> None:
    line = {"Quantity": "10", "Price": "1.234,50"}
    assert one(tmp_path, "Quantity * Price", line=line, csv={"decimal": ","}) == 12345
    assert one(tmp_path, "CASE WHEN Quantity > 9 THEN 1 ELSE 0 END", line=line) == 1  # as texts 10 is below 9


def test_texts_are_put_together(tmp_path: Path) -> None:
    assert one(tmp_path, "No || '-' || Kind", "label") == "C7-sale"
    columns = {"customer_id": "c", "occurred_at": {"sql": "Day || ' ' || Time"}}
    (row,) = staged(
        tmp_path, [{"c": "a", "Day": "31.01.2024", "Time": "18:30"}], columns=columns, csv={"dates": "%d.%m.%Y %H:%M"}
    )
    assert str(row["occurred_at"]) == "2024-01-31 18:30:00"


def test_what_is_no_number_sets_its_row_aside(tmp_path: Path) -> None:
    """A sum without it would be wrong and nobody would see it."""
    assert one(tmp_path, "Quantity * Price", line={"Price": "free"}).startswith("is no number (Price) (written like")
    assert one(tmp_path, "COALESCE(Quantity * Price, 0)", line={"Price": "free"}).startswith("is no number (Price)")
    assert one(tmp_path, "COALESCE(Quantity * Price, 0)", line={"Price": ""}) == 0


def test_numbers_of_parquet_as_text(tmp_path: Path) -> None:
    file = tmp_path / "lines.parquet"
    duckdb.sql(f"COPY (SELECT 7.0::DOUBLE AS c, '2024-01-03' AS d, 2::BIGINT AS q, 1.25::DOUBLE AS p) TO '{file}'")
    columns = {"customer_id": "c", "occurred_at": "d", "amount": {"sql": "q * p"}}
    (row,) = staged(tmp_path, file, columns=columns, leave_out={"seven": "c = '7'", "also": "c = 7"})
    assert (row["amount"], row["_left_out"]) == (Decimal("2.5000"), "seven")


@pytest.mark.parametrize(
    "sql",
    ["SUM(a)", "(SELECT 1)", "a IN (SELECT b)", "read_text('/etc/passwd')", "getenv('HOME')", "*",
     "ROW_NUMBER() OVER ()", "COLUMNS(*)",
     "t.a", "a; DROP TABLE t", "now()", "current_date", "$a", "?", "repeat(a, 1000000)", "nextval('s')",
     "error('x')", "UNNEST([1])", "x -> x", "EXISTS (SELECT 1)", "SELECT 1", "", "a +", "'open", "CAST(a AS INTEGER[])",
     "a COLLATE NOCASE", "main.a", "STRUCT_PACK(a := 1)", "LIST_SUM([a])"],
)  # fmt: skip
def test_nothing_beside_the_row_is_read(sql: str) -> None:
    with pytest.raises(ValueError, match=r"headers|one expression"):
        read_expression(sql)


def test_a_cast_that_fails_gives_nothing(tmp_path: Path) -> None:
    assert one(tmp_path, "COALESCE(CAST(Kind AS INTEGER), 4) * Quantity") == 12


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            {"columns": {"amount": {"sql": "Quantity * Prise"}}},
            r"columns\.amount: .* 'Prise', .*; did you mean Price\?",
        ),
        ({"where": "Quantity"}, r"sources\.purchases\.where: 'Quantity' says neither true nor false"),
        ({"leave_out": {"test": "SUBSTRING(Kind, 'x', 'y') = 'x'"}}, r"leave_out\.test: .* cannot be calculated"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(tmp_path: Path, source: dict[str, Any], says: str) -> None:
    columns = {"customer_id": "c", "occurred_at": "d", **source.pop("columns", {})}
    with pytest.raises(ingest.IngestError, match=says):
        staged(tmp_path, [LINE], columns=columns, **source)


def test_first_header_that_the_file_has(tmp_path: Path) -> None:
    columns = {"customer_id": ["Customer ID", "CustomerID"], "occurred_at": "d"}
    for header in ("Customer ID", "CustomerID"):
        (row,) = staged(tmp_path, [{header: "7", "d": "2024-01-03"}], columns=columns)
        assert row["customer_id"] == "7"
    with pytest.raises(ingest.IngestError, match="is read from 'Customer ID' or 'CustomerID', which rows.csv has not"):
        staged(tmp_path, [{"id": "7", "d": "2024-01-03"}], columns=columns)
    file = tmp_path / "events.jsonl"
    file.write_text('{"CustomerID": "8", "d": "2024-01-03"}\n{"Customer ID": "9", "d": "2024-01-03"}\n')
    assert [row["customer_id"] for row in staged(tmp_path, file, columns=columns)] == ["8", "9"]


def test_a_header_like_the_name_of_a_calculated_column(tmp_path: Path) -> None:
    columns = {"customer_id": "c", "occurred_at": "d", "amount": {"sql": "n * 2"}}
    line = {"c": "a", "d": "2024-01-03", "amount as calculated ": "7", "amount as written": "8", "n": "5"}
    (row,) = staged(tmp_path, [line], columns=columns)
    assert (row["amount"], row["_reason"]) == (10, None)
