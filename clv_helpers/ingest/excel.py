"""Excel files: the values of one sheet, row by row, as text."""

from __future__ import annotations

import contextlib
import datetime as dt
import fnmatch
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clv_helpers.ingest.csv_header import named
from clv_helpers.ingest.raw_file import UnreadableFile, refusing

# A title, a date and blank rows may stand above the headers.
LOOKED_AT = 20
HALF_A_MILLISECOND = dt.timedelta(microseconds=500)


def unread_sheets(file: Path, sheet: str = "") -> str:
    """A sentence on the sheets with values that are not read because none is named; empty where there is none.

    Raises UnreadableFile for a file that is no Excel file.
    """
    with _book(file) as book:
        others = [] if sheet else [each for each in book.worksheets[1:] if _has_values(each)]
        names = " and ".join(repr(each.title) for each in others)
        first = book.worksheets[0].title if others else ""
    said = f"of its sheets {first!r} alone is read, and not {names}; sheet names another, or by a pattern several alike"
    return f"{file.name}: {said}" if others else ""


def excel_headers(file: Path, sheet: str = "") -> list[str]:
    """The headers of a sheet, `sheet` being its name or a pattern (none: the first). Reads its beginning alone.

    They stand in the first row, of the first twenty, that fills more than half of the columns with text, and nothing
    else; where none does, in the first that has values. Raises UnreadableFile for a file that is no Excel file, lacks
    the sheet, has no values, or formulas that no program has calculated yet.
    """
    values = _beginning(file, sheet)
    if _only_uncalculated(values, _beginning(file, sheet, values=False)):
        raise UnreadableFile("holds formulas without their values; open it in Excel, and save it")
    head = [row for row in values if any(_filled(row))][:LOOKED_AT]
    if not head:
        raise UnreadableFile("is empty")
    return _headers(head[_header_at(head)])


def excel_rows(file: Path, sheet: str = "") -> Iterator[list[str]]:
    """The rows of a sheet that hold values, headers first, as text; under a pattern (`Year *`) of all sheets it fits.

    Their headers must be the same. Days and moments as in ISO 8601, whole numbers without a point; of a formula its
    last value; an error such as `#N/A` as that text, which is no number. What stands right of the last header is left
    out. Cost: 8 s per 100,000 rows of eight columns, a row at a time in memory.
    """
    with _book(file) as book:
        first: list[str] = []
        for each in _chosen(book, sheet):
            filled = (row for row in each.iter_rows(values_only=True) if any(_filled(row)))
            head = list(itertools.islice(filled, LOOKED_AT))
            at = _header_at(head) if head else 0
            headers = _headers(head[at]) if head else []
            if first and headers != first:
                raise UnreadableFile(f"has other headers in sheet {each.title!r}: {', '.join(headers) or 'none'}")
            if not first:
                yield headers
            first = headers
            for row in itertools.chain(head[at + 1 :], filled):
                cells = [_text(value) for value in row[: len(headers)]]
                if any(cells):
                    yield cells + [""] * (len(headers) - len(cells))


@contextlib.contextmanager
def _book(file: Path, values: bool = True) -> Iterator[Any]:
    """An Excel file; what openpyxl has against it as an UnreadableFile."""
    import openpyxl  # type: ignore[import-untyped]  # which brings numpy: not at the start of every command

    with refusing(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and validations, which are nothing to us
        try:
            with contextlib.closing(openpyxl.load_workbook(file, read_only=True, data_only=values)) as book:
                yield book
        except (OSError, UnreadableFile):
            raise
        except Exception as error:  # noqa: BLE001 (a damaged file fails wherever openpyxl happens to be in it)
            raise UnreadableFile(f"is no Excel file, or damaged ({type(error).__name__}); save it anew") from None


def _chosen(book: Any, sheet: str) -> list[Any]:
    """The sheets meant: that of the name, or those that fit the pattern, or the first."""
    sheets = book.worksheets
    chosen = [each for each in sheets if each.title == sheet] or [
        each for each in sheets if fnmatch.fnmatchcase(each.title, sheet)
    ]
    chosen = chosen if sheet else sheets[:1]
    if not chosen:
        names = ", ".join(each.title for each in sheets) or "none"
        raise UnreadableFile(f"has no sheet {sheet!r}; its sheets: {names}")
    for each in chosen:
        each.reset_dimensions()  # which some programs write wrongly, and rows would be missing
    return chosen


def _has_values(sheet: Any) -> bool:
    sheet.reset_dimensions()
    return any(any(_filled(row)) for row in sheet.iter_rows(values_only=True))


def _beginning(file: Path, sheet: str, values: bool = True) -> list[tuple[Any, ...]]:
    with _book(file, values) as book:
        return list(itertools.islice(_chosen(book, sheet)[0].iter_rows(values_only=True), 10 * LOOKED_AT))


def _filled(row: tuple[Any, ...]) -> list[bool]:
    return [value is not None and str(value).strip() != "" for value in row]


def _header_at(rows: list[tuple[Any, ...]]) -> int:
    width = max(sum(_filled(row)) for row in rows)
    for at, row in enumerate(rows):
        cells = [value for value, filled in zip(row, _filled(row), strict=True) if filled]
        if 2 * len(cells) > width and all(isinstance(value, str) for value in cells):
            return at
    return 0


def _headers(row: tuple[Any, ...]) -> list[str]:
    filled = _filled(row)
    last = max(at for at, there in enumerate(filled) if there)
    return named([_text(value) for value in row[: last + 1]])


def _only_uncalculated(values: list[tuple[Any, ...]], formulas: list[tuple[Any, ...]]) -> bool:
    """Whether there are formulas, and none of them has a value."""
    found = [
        value
        for row, written in zip(values, formulas, strict=False)
        for value, text in zip(row, written, strict=False)
        if isinstance(text, str) and text.startswith("=") and value != text
    ]
    return bool(found) and not any(_filled(tuple(found)))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime):
        moment = value + HALF_A_MILLISECOND  # the day's fraction is no exact millisecond
        whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return str(whole.date()) if whole.time() == dt.time() else whole.isoformat(sep=" ")
    return str(value)
