"""The head of a CSV file: its delimiter and headers, from the first line alone, so that no later line can mislead."""

from __future__ import annotations

import csv
import io
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from clv_helpers.config.sources import CsvFormat
from clv_helpers.ingest.raw_file import UnreadableFile, encoding_of, how_to_say, opened, refusing

DELIMITERS = (",", ";", "\t", "|")
LONGEST = 1_000  # letters of a header; a page of a survey's question fits
EXCEL_HINT = "sep="  # Excel's way of naming the delimiter, in a line before the header


class HeaderError(UnreadableFile):
    """A CSV file without a usable first line."""


@dataclass(frozen=True)
class Head:
    """How a CSV file begins: lines before the header, the delimiter, the headers."""

    skipped: int
    delimiter: str
    headers: list[str]


def read_head(file: Path, form: CsvFormat) -> Head:
    """How a CSV file begins, gzipped or not.

    Where the params give no delimiter, it is the one that parts the first line into most columns. Headers that are the
    same, or differ by case only, are numbered: `Amount (1)`, `Amount (2)`. Raises UnreadableFile for a file that is
    empty, cannot be read, or is no text in its encoding.
    """
    codec = encoding_of(file, form.encoding)
    # lines of UTF-8 further down may be damaged; the header may not
    errors = "surrogateescape" if codec.startswith("utf-8") else "strict"
    with refusing(), opened(file) as raw, io.TextIOWrapper(raw, codec, errors, newline="") as stream:
        try:
            skipped, hinted = _before_header(stream)
            parted: dict[str, list[str]] = {}
            for delimiter in [form.delimiter or hinted] if form.delimiter or hinted else DELIMITERS:
                stream.seek(0)
                lines = itertools.islice(stream, skipped, None)
                parted[delimiter] = next(csv.reader(lines, delimiter=delimiter), [])
        except UnicodeError:
            raise HeaderError(not_written_in(form.encoding, file)) from None
        except csv.Error as error:
            raise HeaderError(f"has no header: {error}") from None
    delimiter = max(parted, key=lambda one: len(parted[one]))
    if not any(name.strip() for name in parted[delimiter]):
        raise HeaderError("is empty")
    together = "".join(parted[delimiter])
    if "\0" in together:
        raise HeaderError("holds zero bytes in its header: it is damaged, or no text")
    longest = max(map(len, parted[delimiter]))
    if longest > LONGEST:
        raise HeaderError(f"has no header: a name in its first line has {longest:,} letters")
    if any("\ud800" <= letter <= "\udfff" for letter in together):
        raise HeaderError(not_written_in(form.encoding, file))
    return Head(skipped, delimiter, named(parted[delimiter]))


def not_written_in(encoding: str, file: Path) -> str:
    """That a file is in another encoding, and in which it may be."""
    with refusing(), opened(file) as stream:
        data = stream.read(1 << 24)
    other = "utf-8" if encoding != "utf-8" and data.isascii() else "cp1252"
    if encoding == "cp1252":
        other = "utf-8 or latin-1"
    return f"is not written in {encoding}, but likely in {other}: {how_to_say(file)}"


def named(headers: list[str]) -> list[str]:
    """Headers as they can be told apart: on one line, trimmed, numbered where they are the same but for case."""
    names = [
        re.sub(r"\s*[\r\n\t]\s*", " ", name.strip("\ufeff").strip()) or f"column_{number}"
        for number, name in enumerate(headers, 1)
    ]
    folded = [name.casefold() for name in names]
    numbered = [
        f"{name} ({folded[: at + 1].count(folded[at])})" if folded.count(folded[at]) > 1 else name
        for at, name in enumerate(names)
    ]
    again = next((name for name in numbered if [each.casefold() for each in numbered].count(name.casefold()) > 1), "")
    if again:
        raise HeaderError(f"has the header {again!r} more than once")
    return numbered


def _before_header(stream: io.TextIOWrapper) -> tuple[int, str]:
    """How many lines come before the header, empty ones and Excel's `sep=;`, and the delimiter that this one names."""
    for skipped, line in enumerate(stream):
        text = line.strip("\ufeff\r\n \t")
        if text.lower().startswith(EXCEL_HINT) and len(text) == len(EXCEL_HINT) + 1:
            return skipped + 1, text[-1]
        if text:
            return skipped, ""
    return 0, ""
