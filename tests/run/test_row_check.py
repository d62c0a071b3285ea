"""What `clv check` says of rows, and that it says nothing on data where it must not, up to the edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from clv_helpers.config.workbook import Workbook
from clv_helpers.run import row_check
from conftest import write_shop

COLUMNS = "columns: {customer_id: customer, occurred_at: day, amount: spent"
Row = tuple[str, str, Any, str]  # customer, day, spent, kind


def said(folder: Path, rows: list[Row], extra: str = "category: kind\n") -> list[str]:
    """The sentences on what looks odd in these rows, of which none is to be refused."""
    lines = "".join(f'{who},{day},{spent},"{kind}"\n' for who, day, spent, kind in rows)
    file = write_shop(folder, "customer,day,spent,kind\n" + lines, extra)
    text = file.read_text("utf-8").replace(COLUMNS, COLUMNS + ", kind: {from: kind, type: text}")
    file.write_text(text, encoding="utf-8")
    refused, odd = row_check.row_findings(Workbook.open(file))
    assert refused == []
    return [problem.value for problem in odd]


def shop_of(customers: int, alike: int = 1, kinds: int = 2, **first: str) -> list[Row]:
    """A row per customer; so many of them spend the same, and the first row is as said."""
    rows = [
        (f"c{n}", f"2024-01-{n % 28 + 1:02}", 7 if n < alike else 10 + n, f"k{n % kinds}") for n in range(customers)
    ]
    who, day, spent, kind = rows[0]
    return [(who, first.get("day", day), spent, first.get("kind", kind)), *rows[1:]]


def test_nothing_is_said_of_ordinary_rows(tmp_path: Path, outputs: Path) -> None:
    assert said(tmp_path, shop_of(40)) == []


@pytest.mark.parametrize(
    ("customers", "alike", "is_said"), [(40, 4, False), (40, 5, True), (9, 9, False), (10, 10, True)]
)
def test_ties_are_told_beyond_a_tenth_of_ten_customers(
    tmp_path: Path, outputs: Path, customers: int, alike: int, is_said: bool
) -> None:
    sentence = (
        f"value.column amount: {alike / customers:.0%} of the customers have exactly 7.00 USD; their decile is chance"
    )
    assert said(tmp_path, shop_of(customers, alike)) == ([sentence] if is_said else [])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (shop_of(70, kinds=60), ""),
        (shop_of(70, kinds=61), "category kind has 61 values; deciles within so many say little"),
        (shop_of(20, kinds=1), "category kind has one value alone; deciles within it are those over everyone"),
        (shop_of(20, kind="K1 "), "category kind: 1 of its values differ from another by capitals or blanks alone"),
        (shop_of(20, kind="k 1"), ""),
        (shop_of(20, kind=""), "category kind is empty in 1 of 20 rows; they are ranked over everyone alone"),
    ],
    ids=["sixty", "sixty-one", "one", "capitals", "another word", "empty"],
)  # fmt: skip
def test_categories(tmp_path: Path, outputs: Path, rows: list[Row], sentence: str) -> None:
    assert said(tmp_path, rows) == ([sentence] if sentence else [])


def test_nothing_is_said_of_a_category_that_is_none(tmp_path: Path, outputs: Path) -> None:
    assert said(tmp_path, shop_of(70, kinds=61), extra="") == []


@pytest.mark.parametrize(
    ("day", "is_said"),
    [("2019-01-03", False), ("2019-01-01", True), ("1970-01-01", True)],
    ids=["edge", "beyond", "epoch"],
)
def test_a_first_day_five_years_before_all_others(tmp_path: Path, outputs: Path, day: str, is_said: bool) -> None:
    rows = [(who, "2024-01-03", spent, kind) for who, _, spent, kind in shop_of(200)]
    rows[0] = ("c0", day, 9, "k0")
    sentence = (
        f"sources.purchases: the first day is {day}, and 99 of 100 rows are of 2024-01-03 or later: "
        "is it the default of a system?"
    )
    assert said(tmp_path, rows) == ([sentence] if is_said else [])


def test_a_shop_that_grew_has_no_odd_first_day(tmp_path: Path, outputs: Path) -> None:
    rows = shop_of(120) + [(f"old{n}", f"{2010 + n}-05-01", 200 + n, "k0") for n in range(12)]
    assert said(tmp_path, rows) == []


def test_sheets_that_are_not_read(tmp_path: Path, outputs: Path) -> None:
    file = write_shop(tmp_path)
    file.write_text(file.read_text("utf-8").replace("purchases.csv", "orders.xlsx"), encoding="utf-8")
    book = openpyxl.Workbook()
    for title in ("2023", "2024"):
        sheet = book.create_sheet(title)
        for row in (["customer", "day", "spent"], ["a", f"{title}-01-03", 5], ["b", f"{title}-01-04", 6]):
            sheet.append(row)
    book.remove(book.active)
    book.save(tmp_path / "orders.xlsx")
    _, odd = row_check.row_findings(Workbook.open(file))
    assert [problem.value for problem in odd] == [
        "sources.purchases: orders.xlsx: of its sheets '2023' alone is read, and not '2024'; sheet names another, or "
        "by a pattern several alike"
    ]
    file.write_text(file.read_text("utf-8").replace("orders.xlsx", "orders.xlsx\n    sheet: 2*"), encoding="utf-8")
    assert row_check.row_findings(Workbook.open(file)) == ([], [])
