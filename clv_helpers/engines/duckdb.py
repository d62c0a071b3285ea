"""DuckDB, the embedded engine: one file that is written, and a published copy that is read."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
from sqlglot import exp

from clv_helpers.engines import publication
from clv_helpers.engines.dialect import literal, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError


class LakeBusyError(UserError):
    """Another process holds the lake for longer than we are ready to wait."""


class NothingPublished(UserError):
    """There is nothing to read yet: no refresh has passed its checks."""


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
            session = Session(connection)
            yield session
            connection.execute("COMMIT")
            if publish:  # after the commit, as DuckDB writes to one file per transaction
                publication.publish(connection, self.published, session.deltas)
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """The last published tables, read-only, with no way to files or the network.

        Raises NothingPublished where nothing has been published yet.
        """
        if not self.published.exists():
            raise NothingPublished(f"nothing is published yet in {self.published.parent.name}: run stage 1 first")
        connection = duckdb.connect(str(self.published), read_only=True)
        try:
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield Session(connection)
        finally:
            connection.close()

    def _open_waiting(self) -> duckdb.DuckDBPyConnection:
        attach = f"ATTACH {to_sql(literal(str(self.lake)))} AS {publication.STORE}"
        deadline = time.monotonic() + self.patience
        while True:
            connection = duckdb.connect()
            try:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("SET enable_progress_bar = false")  # it would stand among a command's results
                connection.execute(f"SET temp_directory = {to_sql(literal(str(self.lake.parent / 'spill')))}")
                connection.execute(attach)
                connection.execute(f"USE {publication.STORE}")
                return connection
            except (duckdb.IOException, duckdb.BinderException) as error:
                connection.close()
                holder = re.search(r"PID (\d+)", str(error))
                if not holder and "already attached" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    who = f"process {holder[1]}" if holder else "this process itself"
                    raise LakeBusyError(
                        f"{self.lake.parent.name}: {who} is writing to the lake, and did not finish "
                        f"within {self.patience:.0f} seconds; wait for it or stop it, then run again"
                    ) from None
                time.sleep(0.05)


def scan(file: Path, delimiter: str | None = None, encoding: str = "utf-8") -> exp.Expression:
    """A CSV, JSON-lines or Parquet file (or a gz of the first two) as a table; CSV values come as text.

    The delimiter of a CSV is sniffed where it is not given.
    """
    kind = next((s for s in reversed(file.suffixes) if s != ".gz"), "").lower()
    options: dict[str, exp.Expression] = {}
    if kind == ".parquet":
        reader = "read_parquet"
    elif kind in (".json", ".jsonl", ".ndjson"):
        reader = "read_json"
    else:
        reader = "read_csv"
        options = {"all_varchar": exp.true(), "header": exp.true(), "encoding": literal(encoding)}
        if delimiter:
            options["delim"] = literal(delimiter)
    named = [exp.EQ(this=exp.to_identifier(name), expression=value) for name, value in options.items()]
    return exp.Table(this=exp.Anonymous(this=reader, expressions=[literal(str(file)), *named]))
