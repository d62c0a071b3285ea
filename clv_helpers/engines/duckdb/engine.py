"""DuckDB, the embedded engine: one file that is written, and a published copy that is read."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import literal, parse, table, to_sql
from clv_helpers.engines.duckdb.session import STORE, DuckDBSession
from clv_helpers.engines.session import LakeBusyError, NothingPublished, Session


class DuckDBEngine:
    """The lake (one writer at a time) and its published copy (any number of readers)."""

    def __init__(self, lake: Path, published: Path, patience: float = 30.0):
        self.lake, self.published, self.patience = lake, published, patience

    @contextlib.contextmanager
    def write(self, publish: bool = False) -> Iterator[Session]:
        """One transaction on the lake, committed at the end, rolled back on any error; then perhaps published.

        A second writer waits up to `patience` seconds, then LakeBusyError says which process holds the lake.
        """
        self.lake.parent.mkdir(parents=True, exist_ok=True)
        connection = self._open_waiting()
        try:
            connection.execute("BEGIN")
            session = DuckDBSession(connection)
            yield session
            connection.execute("COMMIT")
            if publish:
                self._publish(connection)
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.close()

    @contextlib.contextmanager
    def read(self, memory: str = "") -> Iterator[Session]:
        """The last published tables, read-only, with no way to files or the network.

        With `memory` (`2GB`) for SQL of others: no more than that, nothing on the disk but the tables themselves, not
        even as a log, and none of Python's variables taken for a table.
        Raises NothingPublished where nothing has been published yet.
        """
        if not self.published.exists():
            raise NothingPublished(self.published.parent.name)
        connection = _attached(self.published)
        try:
            if memory:
                connection.execute("SET enable_progress_bar = false")
                connection.execute("SET python_enable_replacements = false")
                connection.execute(f"SET memory_limit = {to_sql(literal(memory))}")
                connection.execute("SET temp_directory = ''")
            connection.execute("SET enable_external_access = false")
            if memory:
                connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
            connection.execute("SET lock_configuration = true")
            yield DuckDBSession(connection, memory)
        finally:
            connection.close()

    @contextlib.contextmanager
    def read_latest(self) -> Iterator[Session]:
        """What is committed, read-only, also before it is published; as last published, while a process is writing.

        Makes no file and waits for nobody. Raises NothingPublished where there is neither.
        """
        try:
            connection = _attached(self.lake)
        except duckdb.Error:  # there is no lake, or its writer has it
            with self.read() as session:
                yield session
            return
        try:
            yield DuckDBSession(connection)
        finally:
            connection.close()

    def _publish(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy the file as committed, and swap it in by rename: who reads the old one goes on reading it.

        Cost: one file copy, which the operating system does at the speed of memory while the file fits there.
        """
        connection.execute(f"CHECKPOINT {STORE}")
        beside = self.published.with_name("published.part.duckdb")
        shutil.copyfile(self.lake, beside)
        beside.replace(self.published)

    def publish_only(self, *names: str) -> None:
        """Publish these tables alone, beside the others as last published: for what must be seen though a run failed.

        Nothing where nothing has been published yet. Cost: a copy of the published file, and of these tables.
        """
        if not self.published.exists():
            return
        beside = self.published.with_name("published.part.duckdb")
        connection = self._open_waiting()
        try:
            shutil.copyfile(self.published, beside)
            beside.with_name(f"{beside.name}.wal").unlink(missing_ok=True)  # of a process that was killed here
            connection.execute(f"ATTACH {to_sql(literal(str(beside)))} AS beside")
            for name in names:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS beside.{to_sql(table(name.split('.')[0]))}")
                quoted = to_sql(table(name))
                connection.execute(f"CREATE OR REPLACE TABLE beside.{quoted} AS SELECT * FROM {quoted}")
            connection.execute("CHECKPOINT beside")
            connection.execute("DETACH beside")
            beside.replace(self.published)
        finally:
            connection.close()

    def _open_waiting(self) -> duckdb.DuckDBPyConnection:
        attach = f"ATTACH {to_sql(literal(str(self.lake)))} AS {STORE}"
        deadline = time.monotonic() + self.patience
        while True:
            connection = duckdb.connect()
            try:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("SET enable_progress_bar = false")  # it would stand among a command's results
                connection.execute(f"SET temp_directory = {to_sql(literal(str(self.lake.parent / 'spill')))}")
                connection.execute(attach)
                connection.execute(f"USE {STORE}")
                return connection
            except (duckdb.IOException, duckdb.BinderException) as error:
                connection.close()
                holder = re.search(r"PID (\d+)", str(error))
                if not holder and "already attached" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    who = f"process {holder[1]}" if holder else "this process itself"
                    raise LakeBusyError(self.lake.parent.name, who, self.patience) from None
                time.sleep(0.05)


def _attached(file: Path) -> duckdb.DuckDBPyConnection:
    """A file, read-only, in an instance of its own, as a file's settings hold for all who have it open."""
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH {to_sql(literal(str(file)))} AS {STORE} (READ_ONLY)")
        connection.execute(f"USE {STORE}")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def is_json(file: Path) -> bool:
    """Whether a file holds JSON: its rows may leave out what they have no value for."""
    return _kind(file) in (".json", ".jsonl", ".ndjson")


def is_csv(file: Path) -> bool:
    """Whether a file is taken for CSV: what is neither JSON nor Parquet."""
    return not is_json(file) and _kind(file) != ".parquet"


def scan(file: Path, headers: list[str] | None = None, delimiter: str = ",", encoding: str = "utf-8") -> exp.Expression:
    """A CSV, JSON-lines or Parquet file (or a gz of the first two) as a table; CSV and JSON values come as text.

    A CSV needs its headers. Its lines that are no rows are left out: `unreadable_lines` has them. Without `headers`,
    those of a JSON file are found by reading all of it, since any row may bring one more.
    """
    texts = [exp.PropertyEQ(this=literal(header), expression=literal("VARCHAR")) for header in headers or []]
    options: dict[str, exp.Expression] = {"columns": exp.Struct(expressions=texts)} if headers else {}
    if _kind(file) == ".parquet":
        reader, options = "read_parquet", {}
    elif is_json(file):
        reader, options = "read_json", options or {"sample_size": literal(-1)}
    else:
        reader = "read_csv"
        options |= {
            "auto_detect": exp.false(), "header": exp.true(), "delim": literal(delimiter),
            "quote": literal('"'), "escape": literal('"'), "encoding": literal(encoding),
            "store_rejects": exp.true(), "rejects_limit": literal(0),
        }  # fmt: skip
    named = [exp.EQ(this=exp.to_identifier(name), expression=value) for name, value in options.items()]
    return exp.Table(this=exp.Anonymous(this=reader, expressions=[literal(str(file)), *named]))


def file_columns(file: Path) -> list[str]:
    """The columns of a JSON or Parquet file."""
    with duckdb.connect() as connection:
        return list(DuckDBSession(connection).columns(scan(file)))


def unreadable_lines() -> exp.Expression:
    """The lines that the last scan of a CSV could not read: line (of the file, from 1), text, and the first reason."""
    return parse("""
        SELECT CAST(line AS BIGINT) AS line, MIN(csv_line) AS text, MIN_BY(error_message, column_idx) AS reason
        FROM reject_errors
        WHERE scan_id = (SELECT MAX(scan_id) FROM reject_scans)
        GROUP BY line
    """)


def _kind(file: Path) -> str:
    return next((suffix for suffix in reversed(file.suffixes) if suffix != ".gz"), "").lower()


def regular_expression_problem(pattern: str) -> str:
    """What RE2, which needs time in proportion to the text whatever the pattern, has against one; empty: nothing."""
    with duckdb.connect() as connection:
        try:
            connection.execute("SELECT regexp_matches('', $1)", [pattern])
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ").split("\n")[0]
    return ""
