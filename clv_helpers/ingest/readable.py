"""Files as tables that DuckDB reads: as they lie there, or from a copy in UTF-8 where it could not."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

import duckdb
from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from clv_helpers.config.sources import Source
from clv_helpers.engines.file_scan import (
    Kind,
    json_headers,
    json_types,
    kind_of,
    parquet_types,
    scan_csv,
    scan_json,
    scan_parquet,
)  # fmt: skip
from clv_helpers.engines.messages import without_values
from clv_helpers.ingest.csv_header import Head, not_written_in, read_head
from clv_helpers.ingest.excel import excel_headers, excel_rows
from clv_helpers.ingest.raw_file import CHUNK, UnreadableFile, encoding_of, is_gzipped, opened, refusing

PREFIX = "reading-"  # of the folder of a copy
DAY = 86_400


class Readable:
    """A file as a table of text (of Parquet: in its types).

    `file`: as given; `kind`: csv, json, parquet or excel; `headers`: what its columns are called, of a JSON file also
    the keys within objects (`customer.id`).
    """

    def __init__(self, file: Path, source: Source, folder: Path):
        self.file, self.source, self.folder = file, source, folder
        self.kind: Kind = kind_of(file)
        self._copies = contextlib.ExitStack()
        if file.is_dir():
            raise UnreadableFile("is a folder")
        if file.suffix.lower() == ".xls":
            raise UnreadableFile("is an Excel file of the old kind; save it as .xlsx or CSV")
        if self.kind in ("parquet", "excel") and is_gzipped(file):
            raise UnreadableFile("is gzipped, as only CSV and JSON may be; unpack it")

    @cached_property
    def headers(self) -> list[str]:
        """What the file's columns are called. Raises UnreadableFile where it cannot be read as what its name says."""
        if self.kind == "csv":
            return self._head.headers
        if self.kind == "excel":
            return excel_headers(self.file, self.source.sheet)
        if self.kind == "parquet":
            return list(self.types)
        if not self._keys:
            raise UnreadableFile("holds no JSON objects")
        return json_headers(self._keys)

    @cached_property
    def types(self) -> dict[str, DuckDBPyType]:
        """The types of a Parquet file's columns; empty for the others, of which a value's text says what it is."""
        if self.kind != "parquet":
            return {}
        with refusing(), self.file.open("rb"):  # before DuckDB, whose words for it are many
            return parquet_types(self.file)

    def scan(self, headers: list[str] | None = None) -> exp.Expression:
        """The file as a table; of JSON, those of its columns that are asked for.

        Raises UnreadableFile, as `headers`. Cost: of text one pass before DuckDB's; a copy in the workbook's folder
        of what is not UTF-8, mixes its line ends, or is an Excel file.
        """
        if self.kind == "csv":
            return scan_csv(self._text, self.headers, self._head.delimiter, self._head.skipped)
        if self.kind == "excel":
            return scan_csv(self._sheet, self.headers)
        if self.kind == "parquet":
            return scan_parquet(self.file)
        return scan_json(self._text, self.headers if headers is None else headers, self._keys)

    def close(self) -> None:
        """Remove the copy, if there is one."""
        self._copies.close()

    @cached_property
    def _head(self) -> Head:
        return read_head(self.file, self.source.csv)

    @cached_property
    def _keys(self) -> dict[str, DuckDBPyType]:
        return json_types(self._text)

    @cached_property
    def _text(self) -> Path:
        """The file itself where DuckDB reads it as it is, else a copy."""
        told = self.source.csv.encoding if self.kind == "csv" else "utf-8"
        codec = encoding_of(self.file, told)
        utf_8 = codec in ("utf-8", "utf-8-sig")
        if utf_8 and is_plain(self.file):
            return self.file
        with self._copy(f"text.{self.kind}") as stream:
            for text in _decoded(self.file, codec, "surrogateescape" if utf_8 else "strict"):
                stream.write(text)
        return Path(stream.name)

    @cached_property
    def _sheet(self) -> Path:
        with self._copy("sheet.csv") as stream:
            csv.writer(stream, lineterminator="\n").writerows(excel_rows(self.file, self.source.sheet))
        return Path(stream.name)

    @contextlib.contextmanager
    def _copy(self, name: str) -> Iterator[IO[str]]:
        """A file of its own below the workbook's folder, for the owner alone, gone with this Readable."""
        try:
            target = self._copies.enter_context(place_for_copies(self.folder)) / name
            # what is no UTF-8 goes through as it is: DuckDB tells the line
            with target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                yield stream
        except OSError as error:
            raise UnreadableFile(f"needs a copy in {self.folder}, which cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def readable(file: Path, source: Source, folder: Path) -> Iterator[Readable]:
    """A file as DuckDB can read it, for as long as the block takes; copies that it needs are made below `folder`.

    Raises UnreadableFile, a sentence that goes on after the file's name, also for what DuckDB has against the file
    within the block.

    Example:
        >>> with readable(wb.source_files("customers")[0], wb.params.sources["customers"], wb.folder) as file:
        ...     file.kind
        'parquet'
    """
    found = Readable(file, source, folder)
    try:
        yield found
    except duckdb.OutOfMemoryException:  # of no file's making
        raise
    except duckdb.Error as error:
        raise UnreadableFile(_reason(error)) from None
    finally:
        found.close()


def _reason(error: duckdb.Error) -> str:
    place = re.search(r"JSON.* in (line|record/value) (\d+)", str(error).split("\n")[0])
    if place:
        twice = ": a key comes twice" if "duplicate key" in str(error) else ""
        # DuckDB counts on to where it noticed
        return f"is no JSON, or not of objects alone, in {place[1]} {int(place[2]):,} or just before{twice}"
    return f"cannot be read: {without_values(error)}"


def _decoded(file: Path, codec: str, errors: str) -> Iterator[str]:
    """The text of a file in pieces, its lines ended as on Unix."""
    with refusing(), opened(file) as raw, io.TextIOWrapper(raw, encoding=codec, errors=errors) as stream:
        try:
            while piece := stream.read(CHUNK):
                if "\0" in piece:
                    raise UnreadableFile("holds zero bytes: it is damaged, or no text")
                yield piece
        except UnicodeError:
            raise UnreadableFile(not_written_in(codec, file)) from None


def is_plain(file: Path) -> bool:
    """Whether DuckDB reads a file in UTF-8 as it is: its lines end in one way only.

    Raises UnreadableFile for one that holds zero bytes, or of whose letters beyond ASCII most are no UTF-8. Cost: one
    pass, at the speed of the disk.
    """
    both = feeds = returns = 0
    decoder, last, valid = codecs.getincrementaldecoder("utf-8")(), b"", True
    with refusing(), opened(file) as stream:
        while chunk := stream.read(CHUNK):
            if b"\0" in chunk:
                line = max(feeds, returns) + chunk[: chunk.index(0)].count(b"\n") + 1
                raise UnreadableFile(f"holds zero bytes, the first in line {line:,}: it is damaged, or no text")
            both += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            feeds, returns, last = feeds + chunk.count(b"\n"), returns + chunk.count(b"\r"), chunk[-1:]
            valid = valid and _decodes(decoder, chunk)
    if not valid:
        _refuse_other_encoding(file)
    return sum(count > 0 for count in (both, feeds - both, returns - both)) <= 1


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_other_encoding(file: Path) -> None:
    """A few letters that are no UTF-8 are damage, and their lines no rows; if most are none, it is another encoding."""
    letters = strange = 0
    for piece in _decoded(file, "utf-8", "surrogateescape"):
        beyond = [letter for letter in piece if letter > "\x7f"] if not piece.isascii() else []
        damaged = sum("\udc80" <= letter <= "\udcff" for letter in beyond)
        letters, strange = letters + len(beyond) - damaged, strange + damaged
    if strange > letters:
        raise UnreadableFile(not_written_in("utf-8", file))


@contextlib.contextmanager
def place_for_copies(folder: Path) -> Iterator[Path]:
    """A folder below a workbook's, for its owner alone, gone with the block; those of killed processes go first."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder, ignore_cleanup_errors=True) as place:
        yield Path(place)


def _remove_stale(folder: Path) -> None:
    """Copies of a process that was killed: they hold what people's files hold."""
    for left in folder.glob(f"{PREFIX}*"):
        if time.time() - left.stat().st_mtime > DAY:
            shutil.rmtree(left, ignore_errors=True)
