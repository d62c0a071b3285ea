"""Files as they are: which come in, which are refused, and what is said of those."""

from __future__ import annotations

import datetime as dt
import gzip
import multiprocessing
import os
import resource
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from clv_helpers import ingest
from clv_helpers.config.sources import Source
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import LakeUnwritable
from clv_helpers.ingest import staging
from clv_helpers.ingest.excel import unread_sheets
from clv_helpers.ingest.raw_file import UnreadableFile
from clv_helpers.ingest.readable import readable

PARAMS = """
title: A shop
sources:
  purchases:
    path: none.csv
    max_rejected_share: 0.6
    {extra}
    csv: {{encoding: {encoding}}}
    columns: {{customer_id: {customer}, occurred_at: day, amount: spent}}
value: {{column: amount, unit: USD}}
"""
ROWS = "customer,day,spent\nanna,2024-01-03,10.50\nbjörn,2024-01-03,20.00\nd’Arcy,2024-02-10,5.25\n"
GOOD = [("anna", Decimal("10.5")), ("björn", Decimal("20")), ("d’Arcy", Decimal("5.25"))]
Rows = list[tuple[str, Decimal | None]]


def _shop(tmp_path: Path, encoding: str = "utf-8", extra: str = "", customer: str = "customer") -> Workbook:
    params = tmp_path / "shop.yml"
    params.write_text(PARAMS.format(encoding=encoding, extra=extra, customer=customer), encoding="utf-8")
    return Workbook.open(params)


def _ingested(shop: Workbook, file: Path) -> tuple[Rows, list[tuple[int, str, str]]]:
    """What came in, and what was set aside: row, value, reason."""
    [batch] = ingest.ingest_files(shop, "purchases", [file])
    with shop.engine.read_latest() as session:
        rows = session.rows("SELECT customer_id, amount FROM lake.purchases ORDER BY customer_id")
        aside = session.rows("SELECT row_number, value, reason FROM lake.rejected_rows ORDER BY row_number")
    assert batch.rows_read == len(rows) + len(aside)
    assert not list(shop.folder.glob("reading-*"))
    return [(row["customer_id"], row["amount"]) for row in rows], [tuple(row.values()) for row in aside]


def _file(tmp_path: Path, data: bytes, name: str = "orders.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(data)
    return file


def _refused(shop: Workbook, file: Path) -> str:
    with pytest.raises(ingest.IngestError) as error:
        ingest.ingest_files(shop, "purchases", [file])
    assert "\n" not in str(error.value)
    with shop.engine.read_latest() as session:
        assert session.scalar("SELECT COUNT(*) AS n FROM lake.purchases") == 0
    return str(error.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "cp1252"), ("utf-16", "utf-8"), ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"), ("utf-32", "utf-8"), ("cp1252", "cp1252"),
    ],
)  # fmt: skip
def test_encodings(tmp_path: Path, outputs: Path, written: str, told: str) -> None:
    file = _file(tmp_path, ROWS.encode(written))
    assert _ingested(_shop(tmp_path, told), file) == (GOOD, [])


@pytest.mark.parametrize(
    ("written", "told", "said"),
    [
        ("cp1252", "utf-8", "is not written in utf-8, but likely in cp1252: csv.encoding can say so"),
        ("utf-16-le", "utf-8", "is not written in utf-8, but likely in utf-16: csv.encoding can say so"),
        ("utf-8", "utf-16", "is not written in utf-16, but likely in utf-8: csv.encoding can say so"),
    ],
)
def test_a_wrong_encoding_is_told_with_one_that_fits(
    tmp_path: Path, outputs: Path, written: str, told: str, said: str
) -> None:
    assert said in _refused(_shop(tmp_path, told), _file(tmp_path, ROWS.encode(written)))


def test_a_damaged_letter_costs_its_line_alone(tmp_path: Path, outputs: Path) -> None:
    rows, aside = _ingested(_shop(tmp_path), _file(tmp_path, ROWS.encode() + b"\xff,2024-01-01,2\n"))
    assert rows == GOOD
    assert aside[0][0] == 5


def test_mixed_line_ends_come_in_and_keep_their_line_numbers(tmp_path: Path, outputs: Path) -> None:
    data = b'customer,day,spent\r\na,2024-01-03,1\nbad\nb,2024-01-03,2\rc,2024-01-03,"3"\r\r\n"x\r\ny",2024-01-03,4\n'
    rows, aside = _ingested(_shop(tmp_path), _file(tmp_path, data))
    assert rows == [("a", 1), ("b", 2), ("c", 3), ("x\ny", 4)]
    assert [(number, value) for number, value, _ in aside] == [(3, "bad")]


@pytest.mark.parametrize(
    ("head", "row", "delimiter"), [("", 2, ","), ("\n\r\n", 4, ","), ("sep=;\n", 3, ";"), ("\ufeffsep=|\r\n", 3, "|")]
)
def test_lines_before_the_header(tmp_path: Path, outputs: Path, head: str, row: int, delimiter: str) -> None:
    text = head + ROWS.replace(",", delimiter).replace("anna", "bad\nanna")
    rows, aside = _ingested(_shop(tmp_path), _file(tmp_path, text.encode()))
    assert rows == GOOD
    assert [number for number, *_ in aside] == [row]


def test_headers_that_are_alike_are_numbered_and_none_is_taken_for_the_other(tmp_path: Path, outputs: Path) -> None:
    file = _file(tmp_path, b"customer,Customer,day,spent,note,note\n1,2,2024-01-01,3,x,y\n")
    assert "its columns: customer (1), Customer (2), day, spent, note (1), note (2)" in _refused(_shop(tmp_path), file)
    assert _ingested(_shop(tmp_path, customer="Customer (2)"), file)[0] == [("2", 3)]


def test_a_quote_that_nothing_closes_loses_no_row_in_silence(tmp_path: Path, outputs: Path) -> None:
    swallowing = ROWS.encode() + b'"x,2024-01-01,1\n' + b"y,2024-01-01,1\n"
    assert [number for number, *_ in _ingested(_shop(tmp_path), _file(tmp_path, swallowing))[1]] == [5, 6]
    endless = _file(tmp_path, swallowing + b"y,2024-01-01,1\n" * 2_000, "endless.csv")
    with pytest.raises(ingest.IngestError, match="a quote is opened that nothing closes, in Line: 5"):
        ingest.ingest_files(_shop(tmp_path), "purchases", [endless])


def test_a_line_that_is_too_long_is_set_aside(tmp_path: Path, outputs: Path) -> None:
    rows, aside = _ingested(_shop(tmp_path), _file(tmp_path, ROWS.encode() + b"x" * 3_000_000 + b",2024-01-01,2\n"))
    assert rows == GOOD
    assert (aside[0][0], len(aside[0][1])) == (5, 10_000)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("zero.csv", ROWS.encode() + b"x\0,2024-01-01,3\n", "holds zero bytes, the first in line 5"),
        ("zeros.csv", b"\0" * 50, "holds zero bytes"), ("zip.csv", b"PK\x03\x04abc", "is a zip archive"),
        ("page.csv", b"\n<!DOCTYPE html><html>", "is a page of markup"), ("pdf.csv", b"%PDF-1.7", "is a PDF"),
        ("old.xls", b"\xd0\xcf\x11\xe0", "save it as .xlsx or CSV"), ("no.xlsx", b"no", "is no Excel file, or damaged"),
        ("empty.csv", b"", "is empty"), ("mark.csv", b"\xef\xbb\xbf", "is empty"), ("blank.csv", b"\n\n", "is empty"),
        ("header.csv", b"customer,day,spent\n", "has no rows"), ("no.csv.gz", b"abc", "is not gzipped"),
        ("gz.csv", gzip.compress(ROWS.encode(), mtime=0), "is gzipped"), ("five.json", b"[5]", "holds no JSON objects"),
        ("torn.jsonl", b'{"customer":1}\n{"customer":', "is no JSON, or not of objects alone, in line 3"),
        ("one.jsonl", b'{"customer":"a","day":"2024-01-01"}\n5\n', "holds no JSON objects"),
        ("twice.jsonl", b'{"customer":"a","day":"2024-01-01","day":"x"}\n', "just before: a key comes twice"),
        ("no.parquet", b"PAR1", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_by_a_sentence_that_says_what_it_is(
    tmp_path: Path, outputs: Path, name: str, data: bytes, said: str
) -> None:
    assert said in _refused(_shop(tmp_path), _file(tmp_path, data, name))


def test_a_gzipped_file_is_tested_to_its_end(tmp_path: Path, outputs: Path) -> None:
    shop, whole = _shop(tmp_path), gzip.compress(ROWS.encode() * 999, mtime=0)
    assert "was cut" in _refused(shop, _file(tmp_path, whole[: len(whole) * 6 // 10], "cut.csv.gz"))
    assert "was cut" in _refused(shop, _file(tmp_path, whole[:-3], "trailer.csv.gz"))
    damaged = whole[:-8] + bytes(4) + whole[-4:]
    assert "does not fit its checksum" in _refused(shop, _file(tmp_path, damaged, "damaged.csv.gz"))
    members = gzip.compress(ROWS.encode(), mtime=0) + gzip.compress(b"z,2024-01-01,1\n")
    assert _ingested(shop, _file(tmp_path, members, "two.of.CSV.GZ")) == ([*GOOD, ("z", 1)], [])


def test_no_file_a_folder_and_one_that_may_not_be_read(tmp_path: Path, outputs: Path) -> None:
    shop = _shop(tmp_path)
    assert "No such file" in _refused(shop, tmp_path / "gone.csv")
    assert "Is a directory" in _refused(shop, tmp_path)
    with (
        readable(tmp_path / "gone.csv", Source(path="x"), tmp_path) as gone,
        pytest.raises(UnreadableFile, match="cannot be read: No such file or directory"),
    ):
        gone.scan()


# -- Excel -------------------------------------------------------------------------------------------------------------


def _excel(tmp_path: Path, sheets: dict[str, list[list[object]]], name: str = "orders.xlsx") -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(tmp_path / name)
    return tmp_path / name


HEAD: list[object] = ["customer", "day", "spent"]
DAY = dt.datetime(2024, 1, 3)


def test_excel_values_as_they_are_meant(tmp_path: Path, outputs: Path) -> None:
    rows: list[list[object]] = [
        ["Sales of the year"], [], [*HEAD, "new", None], [14646.0, DAY, 2.95, True, "beside"], [None, None, " "],
        ["007", "2024-01-03 18:30:00", 3], ["x", DAY.replace(hour=7, minute=45), "#N/A"],
    ]  # fmt: skip
    file = _excel(tmp_path, {"A": rows})
    with readable(file, Source(path="x"), tmp_path) as found:
        assert (found.kind, found.headers) == ("excel", ["customer", "day", "spent", "new"])
        text = Path(found.scan().args["this"].expressions[0].this).read_text("utf-8")
    assert text.splitlines() == [
        "customer,day,spent,new", "14646,2024-01-03,2.95,true", "007,2024-01-03 18:30:00,3,",
        "x,2024-01-03 07:45:00,#N/A,",
    ]  # fmt: skip
    came, aside = _ingested(_shop(tmp_path), file)
    assert came == [("007", 3), ("14646", Decimal("2.95"))]
    assert [(number, value) for number, value, _ in aside] == [(3, "#N/A")]


def test_excel_sheets_by_name_and_by_pattern(tmp_path: Path, outputs: Path) -> None:
    sheets = {"Year 1": [HEAD, ["a", DAY, 1]], "Year 2": [HEAD, ["b", DAY, 2]], "Notes": [["these", "are", "notes"]]}
    file = _excel(tmp_path, sheets)
    said = "of its sheets 'Year 1' alone is read, and not 'Year 2' and 'Notes'"
    assert unread_sheets(file).startswith(f"{file.name}: {said}")
    assert unread_sheets(file, "Year *") == ""
    assert (
        unread_sheets(_excel(tmp_path, {"Year 1": sheets["Year 1"], "Sheet2": [], "Sheet3": [[" "]]}, "one.xlsx")) == ""
    )
    assert "has no sheet 'Year 3'; its sheets: Year 1, Year 2, Notes" in _refused(
        _shop(tmp_path, extra="sheet: Year 3"), file
    )
    assert "has other headers in sheet 'Notes'" in _refused(_shop(tmp_path, extra="sheet: '*'"), file)
    for sheet, rows in (("''", [("a", 1)]), ("Year 2", [("b", 2)]), ("Year *", [("a", 1), ("b", 2)])):
        shop = _shop(tmp_path, extra=f"sheet: {sheet}")
        assert _ingested(shop, file)[0] == rows
        ingest.revert(shop, ingest.batches(shop)[-1].batch_id)
        with shop.engine.write() as session:
            session.run("DELETE FROM lake.rejected_rows")


def test_excel_formulas_that_were_never_calculated(tmp_path: Path, outputs: Path) -> None:
    file = _excel(tmp_path, {"A": [HEAD, ["a", DAY, "=1+1"], ["b", DAY, "=2+2"]]})
    assert "holds formulas without their values; open it in Excel, and save it" in _refused(_shop(tmp_path), file)


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_json_within_objects(tmp_path: Path, outputs: Path) -> None:
    lines = b'{"customer":{"id":"a","tags":["x"]},"day":"2024-01-01","spent":3}\r\n{"day":"2024-01-01"}\n'
    file = _file(tmp_path, lines + b'{"customer":{"id":"b"},"day":"2024-01-01","rare":{"key":1}}\n', "orders.jsonl")
    with readable(file, Source(path="x"), tmp_path) as found:
        assert found.headers == ["customer", "customer.id", "customer.tags", "day", "spent", "rare", "rare.key"]
    assert _ingested(_shop(tmp_path, customer="customer.id"), file)[0] == [("a", 3), ("b", None)]
    (tmp_path / "whole").mkdir()
    whole = _shop(tmp_path / "whole", customer="customer")
    ingest.revert(whole, 1)
    more = _file(tmp_path, lines + b"\n", "more.jsonl")
    assert _ingested(whole, more)[0] == [('{"id":"a","tags":["x"]}', 3)]


def test_json_keys_within_objects_that_differ_by_case_alone(tmp_path: Path, outputs: Path) -> None:
    line = b'{"customer":"a","day":"2024-01-01","spent":3,"meta":{"id":1,"ID":2}}\n'
    assert _ingested(_shop(tmp_path), _file(tmp_path, line, "orders.jsonl")) == ([("a", 3)], [])


def test_json_in_utf_16(tmp_path: Path, outputs: Path) -> None:
    data = '[{"customer": "björn", "day": "2024-01-01", "spent": 3}]'.encode("utf-16")
    assert _ingested(_shop(tmp_path), _file(tmp_path, data, "orders.json")) == ([("björn", 3)], [])


def test_a_file_is_opened_once_where_it_comes_in(
    tmp_path: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(staging, "readable", lambda file, *more: opened.append(file) or readable(file, *more))
    file = _file(tmp_path, b'{"customer": "a", "day": "2024-01-01", "spent": 3}', "orders.json")
    assert _ingested(_shop(tmp_path), file) == ([("a", 3)], [])
    assert opened == [file]


# -- the disk ----------------------------------------------------------------------------------------------------------


def test_copies_are_the_owners_alone_and_old_ones_go(tmp_path: Path) -> None:
    left = tmp_path / "reading-killed"
    left.mkdir()
    os.utime(left, (0, 0))
    with readable(_file(tmp_path, ROWS.encode("utf-16")), Source(path="x"), tmp_path) as found:
        found.scan()
        [copy] = tmp_path.glob("reading-*")
        assert copy != left
        assert copy.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("reading-*"))


def _limited(shop: Workbook, file: Path, size: int, results: multiprocessing.Queue) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        ingest.ingest_files(shop, "purchases", [file])
        results.put("came in")
    except (ingest.IngestError, LakeUnwritable) as error:
        results.put(str(error))


def test_a_disk_that_takes_no_more_is_a_sentence_and_half_of_nothing_stays(tmp_path: Path, outputs: Path) -> None:
    shop = _shop(tmp_path)
    assert _ingested(shop, _file(tmp_path, ROWS.encode()))[0] == GOOD
    grown = "".join(f"{number * 7919 % 1_000_003},2024-01-01,{number}.17\n" for number in range(200_000))
    plain = _file(tmp_path, ("customer,day,spent\n" + grown).encode(), "plain.csv")
    mixed = _file(tmp_path, ("customer,day,spent\r\n" + grown).encode(), "mixed.csv")
    context, said = multiprocessing.get_context("spawn"), []
    results: multiprocessing.Queue = context.Queue()
    for file in (plain, mixed):
        child = context.Process(target=_limited, args=(shop, file, 1_500_000, results))
        child.start()
        said.append(results.get(timeout=60))
        child.join()
    assert "cannot be written: File too large" in said[0]
    assert "needs a copy in" in said[1]
    with shop.engine.read_latest() as session:
        assert session.scalar("SELECT COUNT(*) AS n FROM lake.purchases") == len(GOOD)
    assert not list(shop.folder.glob("reading-*"))
    assert ingest.ingest_files(shop, "purchases", [plain])[0].rows_accepted == 200_000
