"""Files in which a person is named: found, and written anew without the person's records, or deleted."""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.activation.destination import CUSTOMER
from clv_helpers.activation.files import CsvOptions, FilesParams
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, is_in, literal, to_sql
from clv_helpers.ingest.forgotten import KEY_FILE
from clv_helpers.ingest.remote import without_secrets
from clv_helpers.run.person import Person

TABLES = ("csv", "tsv", "txt")
LINES = ("jsonl", "ndjson")
# Of a row only its hash is kept: whose it is cannot be told from it, but who knows the whole row can confirm it.
HASHES = (
    "lake.pulled_rows: hashes of rows of sources.{}; once the person is out of the database, they go with the second "
    "pull that brings something"
)
UNREADABLE = {".pgp", ".pdf", ".png"}
# The lake and its published copy are searched by their tables, and written anew by the engine.
DATABASES = {".duckdb", ".wal"}
JOURNAL = "forgetting-"


@dataclass(frozen=True)
class FoundFile:
    """A file in which the person is named, in how many records (rows, lines), and whether they can be taken out."""

    path: Path
    records: int
    is_table: bool = True


@dataclass(frozen=True)
class Searched:
    """What a search found.

    `sources`: the workbook's own data; `unreadable`: what is not searched: encrypted files, prints and pictures, and
    sources that are not on this machine.
    """

    found: list[FoundFile] = field(default_factory=list)
    sources: list[FoundFile] = field(default_factory=list)
    unreadable: list[Path | str] = field(default_factory=list)


def search(workbook: Workbook, person: Person) -> Searched:
    """Look through outputs/<workbook>, the local folders of destinations, and the workbook's sources.

    Cost: each file is read once.
    """
    searched, sources = Searched(unreadable=_elsewhere(workbook)), _sources(workbook)
    for file in dict.fromkeys([*sources, *(file for folder in folders(workbook) for file in _files(folder))]):
        if file.suffix in UNREADABLE:
            searched.unreadable.append(file)
            continue
        records = Records(workbook, file)
        if count := records.count(person):
            found = FoundFile(file, count, records.is_table)
            (searched.sources if file in sources else searched.found).append(found)
    return searched


def erase(workbook: Workbook, person: Person, file: Path) -> bool:
    """Take the person's records out of a file, whole or not at all.

    False for a file without records (a notebook, a page, a log): it is deleted.
    """
    records = Records(workbook, file)
    if not records.is_table:
        file.unlink()
        return False
    for left in file.parent.iterdir():
        if left.name.startswith(f".{file.name}.") and left.suffix == ".part":
            left.unlink()  # of a process that was killed here
    beside = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.part")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    records.write_without(person, beside)
    with beside.open("r+b") as stream:
        os.fsync(stream.fileno())
    shutil.copymode(file, beside)
    beside.replace(file)
    return True


def folders(workbook: Workbook) -> list[Path]:
    """Where files of this workbook lie on this machine."""
    places = [workbook.folder, *_exports(workbook)]
    return list(dict.fromkeys(place.resolve() for place in places if place.is_dir()))


def sha256(file: Path) -> str:
    """The checksum of a file, as manifests have it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _exports(workbook: Workbook) -> dict[Path, FilesParams]:
    """The local folders to which files are exported, and how."""
    local = {
        name: params
        for name, params in workbook.params.destinations.items()
        if isinstance(params, FilesParams) and "://" not in params.path
    }
    return {workbook.path(params.path, f"destinations.{name}.path").resolve(): params for name, params in local.items()}


def _sources(workbook: Workbook) -> list[Path]:
    found: list[Path] = []
    for dataset in workbook.params.sources:
        with contextlib.suppress(Exception):  # a source that is gone holds nobody
            found += [file.resolve() for file in workbook.source_files(dataset)]
    return found


def _elsewhere(workbook: Workbook) -> list[Path | str]:
    sources = workbook.params.sources.items()
    databases: list[Path | str] = [f"the database of sources.{name}" for name, source in sources if source.database]
    databases += [HASHES.format(name) for name, source in sources if source.database and source.database.meets_again]
    return databases + [without_secrets(source.path) for name, source in sources if workbook.source_url(name)]


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        ours = file.name == KEY_FILE or file.name.startswith(JOURNAL) or file.suffix in DATABASES
        if file.is_file() and not file.is_symlink() and not ours:
            yield file


class Records:
    """A file as its records: rows of Parquet or of a CSV, JSON lines, or the lines of any other text."""

    def __init__(self, workbook: Workbook, file: Path):
        params = _exports(workbook).get(file.parent)
        self.file, self.options = file, params.csv if params else CsvOptions()
        with file.open("rb") as stream:
            start = stream.read(4)
        self.is_parquet, self.is_packed = start == b"PAR1", start[:2] == b"\x1f\x8b"
        self.kind = next((kind for kind in file.name.split(".") if kind in (*TABLES, *LINES)), "")
        if start[:1] == b"{" and file.suffix in (".part", ".refused"):
            self.kind = "jsonl"  # what the stream has taken and not yet made a batch of
        self.number_columns = _number_columns(workbook)

    @property
    def is_table(self) -> bool:
        """Whether it holds a record per person or event, that can be taken out."""
        return self.is_parquet or bool(self.kind)

    def count(self, person: Person) -> int:
        """How many records name the person."""
        if self.is_parquet:
            with duckdb.connect() as connection:
                query = f"SELECT COUNT(*) FROM {self._scan()} WHERE {self._condition(connection, person)}"
                return connection.execute(query).fetchall()[0][0]
        return sum(is_named for _, is_named in self._judged(person))

    def rows(self) -> int:
        """How many records there are, the header not among them."""
        if self.is_parquet:
            with duckdb.connect() as connection:
                return connection.execute(f"SELECT COUNT(*) FROM {self._scan()}").fetchall()[0][0]
        return sum(1 for _ in self._records()) - (self.kind in TABLES)

    def write_without(self, person: Person, target: Path) -> None:
        """Write all records to a file but those that name the person."""
        if self.is_parquet:
            with duckdb.connect() as connection:
                kept = f"SELECT * FROM {self._scan()} WHERE NOT ({self._condition(connection, person)})"
                connection.sql(kept).write_parquet(str(target))
            return
        with target.open("wb") as raw:
            packed: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if self.is_packed else raw
            with io.TextIOWrapper(packed, self.options.encoding, self._errors, newline="") as stream:
                stream.writelines(record for record, is_named in self._judged(person) if not is_named)

    def _judged(self, person: Person) -> Iterator[tuple[str, bool]]:
        """Each record, and whether it names the person: in the number's column, or by a word anywhere."""
        pattern = re.compile(person.pattern) if person.pattern else None
        numbers, places, is_first = person.numbers, set[int](), self.kind in TABLES
        for record in self._records():
            values = self._values(record)
            if is_first and isinstance(values, list):
                places = {place for place, name in enumerate(values) if name in self.number_columns}
                is_first = False
                yield record, False
                continue
            if isinstance(values, dict):
                named = any(str(values.get(name)) in numbers for name in self.number_columns)
            elif self.kind in TABLES:
                named = any(place < len(values) and values[place] in numbers for place in places)
            else:
                named = any(number in values for number in numbers)  # a destination's journal: what was done, for whom
            yield record, named or bool(pattern and pattern.search(record))

    def _values(self, record: str) -> list[Any] | dict[str, Any]:
        if self.kind in TABLES:
            delimiter = "\t" if self.kind == "tsv" else self.options.delimiter
            rows = csv.reader([record.lstrip("\ufeff")], delimiter=delimiter, quotechar=self.options.quote)
            with contextlib.suppress(csv.Error):
                return [value for row in rows for value in row]
        elif self.kind:
            with contextlib.suppress(ValueError):
                value = json.loads(record)
                return value if isinstance(value, dict | list) else []
        return []

    def _records(self) -> Iterator[str]:
        """Each record with its line end: of a CSV, the lines until its quotes are closed."""
        waiting = ""
        opened = gzip.open if self.is_packed else open
        with opened(self.file, "rt", encoding=self.options.encoding, errors=self._errors, newline="") as lines:
            for line in lines:
                waiting += str(line)
                if self.kind not in TABLES or waiting.count(self.options.quote) % 2 == 0:
                    yield waiting
                    waiting = ""
        if waiting:
            yield waiting

    @property
    def _errors(self) -> str:
        return "surrogatepass" if self.options.encoding == "utf-16" else "surrogateescape"

    def _scan(self) -> str:
        return f"read_parquet({to_sql(literal(str(self.file)))})"

    def _condition(self, connection: duckdb.DuckDBPyConnection, person: Person) -> str:
        names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {self._scan()}").fetchall()]
        tests = [is_in(cast(column(name), "text"), person.numbers) for name in names if name in self.number_columns]
        tests += [is_in(cast(column(name), "text"), person.words) for name in names if person.words]
        return to_sql(exp.Coalesce(this=exp.paren(exp.or_(exp.false(), *tests)), expressions=[exp.false()]))


def _number_columns(workbook: Workbook) -> set[str]:
    """Under which headers a customer number stands in files that come in or go out."""
    contracts = [workbook.params.contract(dataset) for dataset in workbook.params.sources]
    headers = {contract[PRIMARY_IDENTITY].header for contract in contracts if PRIMARY_IDENTITY in contract}
    sent = {params.columns.get(PRIMARY_IDENTITY, "") for params in workbook.params.destinations.values()}
    return (headers | sent | {PRIMARY_IDENTITY, CUSTOMER}) - {""}
