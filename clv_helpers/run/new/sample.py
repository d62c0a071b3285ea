"""A sample of the files that a workbook is to be made from: headers, first, middle and last rows, and counts of all."""

from __future__ import annotations

import codecs
import contextlib
import glob
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.config.sources import Source
from clv_helpers.config.workbook import in_folders
from clv_helpers.engines.dialect import cast, column, expression, table
from clv_helpers.engines.file_scan import kind_of
from clv_helpers.engines.messages import without_values
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest.excel import unread_sheets
from clv_helpers.ingest.raw_file import CHUNK, UnreadableFile, encoding_of, opened, refusing
from clv_helpers.ingest.readable import readable

ROWS = 5_000  # a third of them from the beginning, the middle and the end
ALLOWED = "a CSV, JSON, Parquet or Excel file, a folder of them, or a pattern such as 'orders/*.csv'"
SAMPLED = """
    SELECT $columns FROM $rows
    WHERE _row <= $third OR _row BETWEEN $middle AND $middle + $third OR _row > $last ORDER BY _row
"""


class NewWorkbookError(UserError):
    """A workbook that cannot be made; the message says why, and what to do."""


@dataclass
class Sample:
    """Files with the same headers: all their rows as text in a table of DuckDB's, and what was found of each header.

    `values` are those of the sampled rows, without blanks at their ends; empty where there is none. `notes` say what
    of the files was not read.
    """

    files: list[Path]
    headers: list[str]
    rows: int
    csv: dict[str, str]
    session: Session
    table: str
    values: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _found: dict[tuple[str, str], Any] = field(default_factory=dict)

    def once(self, key: tuple[str, str], find: Callable[[], Any]) -> Any:
        """What was found before, or is found now."""
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def texts(self, header: str) -> list[str]:
        """The sampled values that are not empty."""
        return [value for value in self.values[header] if value]

    @cached_property
    def counts(self) -> dict[str, tuple[int, int]]:
        """By header, over all rows: how many have a value, and how many different ones there are."""
        if not self.headers:
            return {}
        selected: list[exp.Expression] = []
        for each in self.headers:
            text = expression("NULLIF(TRIM($header), '')", header=column(each))
            selected += [exp.Count(this=text), exp.Count(this=exp.Distinct(expressions=[text.copy()]))]
        query = exp.select(*(part.as_(f"c{index}") for index, part in enumerate(selected))).from_(table(self.table))
        found = list(self.session.rows(query)[0].values())
        return dict(zip(self.headers, zip(found[0::2], found[1::2], strict=True), strict=True))

    def ask(self, sql: str, **bindings: Any) -> Any:
        """The first value of a query over all rows, `$rows` among them."""
        return self.session.scalar(sql, rows=table(self.table), **bindings)

    def frequent(self, header: str, most: int = 60) -> dict[str, int]:
        """The most frequent values of a header, and how often each comes."""
        found = self.session.rows(
            "SELECT TRIM($header) AS value, COUNT(*) AS n FROM $rows WHERE TRIM($header) <> '' "
            "GROUP BY TRIM($header) ORDER BY n DESC, value LIMIT $most",
            header=column(header), rows=table(self.table), most=most,
        )  # fmt: skip
        return {row["value"]: row["n"] for row in found}


@contextlib.contextmanager
def read(source: Path) -> Iterator[list[Sample]]:
    """A file, the files of a folder, or those of a pattern, as one sample per set of headers, in the order of names.

    Their rows are held in memory, and on the disk where that is short. Raises NewWorkbookError for a file that cannot
    be read.
    """
    files = in_folders([source] if source.exists() else [Path(found) for found in sorted(glob.glob(str(source)))])
    if not files:
        raise NewWorkbookError(f"{source}: there is no such file; allowed: {ALLOWED}")
    with (
        TemporaryDirectory(prefix="clv_new_") as folder,
        duckdb.connect(config={"temp_directory": folder}) as connection,
    ):
        session, samples = Session(connection), dict[tuple[str, ...], Sample]()
        for file in files:
            try:
                _read(file, session, samples, Path(folder))
            except UnreadableFile as error:
                allowed = "" if "allowed: " in str(error) else f"; allowed: {ALLOWED}"
                raise NewWorkbookError(f"{file} {error}{allowed}") from None
            except duckdb.Error as error:
                raise NewWorkbookError(f"{file} cannot be read: {without_values(error)}; allowed: {ALLOWED}") from None
        for sample in samples.values():
            _take(sample)
        yield list(samples.values())


def _read(file: Path, session: Session, samples: dict[tuple[str, ...], Sample], folder: Path) -> None:
    """Add the rows of a file to the sample of its headers; copies that are needed are made below `folder`."""
    encoding = _encoding(file) if kind_of(file) == "csv" else "utf-8"
    source = Source.model_validate({"path": str(file), "csv": {"encoding": encoding}})
    with readable(file, source, folder) as opened_file:
        headers = opened_file.headers
        sample = samples.get((*headers, encoding))
        if sample is None:
            form = {} if encoding == "utf-8" else {"encoding": encoding}
            sample = samples[(*headers, encoding)] = Sample([], headers, 0, form, session, f"rows_{len(samples)}")
        _load(sample, opened_file.scan(headers))
        sample.files.append(file)
        if opened_file.kind == "excel":
            sample.notes += filter(None, [unread_sheets(file)])


def _encoding(file: Path) -> str:
    """How a CSV is written: as its first bytes say, else UTF-8 where all of it is, else that of Western Windows."""
    with contextlib.suppress(UnreadableFile):  # of what is no such text
        if encoding_of(file, "utf-16").startswith("utf-16"):
            return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with refusing(), opened(file) as stream:
        part: bytes = stream.read(CHUNK)
        try:
            while part:
                decoder.decode(part)
                part = stream.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _load(sample: Sample, rows: exp.Expression) -> None:
    texts = [cast(column(header), "text").as_(header, quoted=True) for header in sample.headers]
    numbered = exp.select(expression("ROW_NUMBER() OVER () + $before", before=sample.rows).as_("_row"), *texts)
    if sample.files:
        sample.session.run(
            "INSERT INTO $whole SELECT * FROM $part AS p", whole=table(sample.table), part=numbered.from_(rows)
        )
    else:
        sample.session.create_temporary(sample.table, numbered.from_(rows))
    sample.rows = sample.session.count(table(sample.table))


def _take(sample: Sample) -> None:
    third = ROWS // 3
    rows = sample.session.rows(
        SAMPLED, columns=[column(header) for header in sample.headers], rows=table(sample.table), third=third,
        middle=max(sample.rows // 2, third), last=max(sample.rows - third, 0),
    )  # fmt: skip
    sample.values = {header: [(row[header] or "").strip() for row in rows] for header in sample.headers}
