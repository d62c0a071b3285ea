"""DuckDB, the embedded engine: one file that is written, and a published copy that is read."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import bind, cast, literal, parse, table, to_sql

if TYPE_CHECKING:
    import pandas as pd

# What readers see. Raw events stay in the lake: a board has no need for them.
PUBLISHED_SCHEMAS = ("derived", "profile", "insights", "audiences", "activation", "campaigns")
PUBLISHED_TABLES = ("lake.batches",)


class LakeBusyError(RuntimeError):
    """Another process holds the lake for longer than we are ready to wait."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Session:
    """A short-lived connection. Takes SQL text or sqlglot trees, and values by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection

    def run(self, query: str | exp.Expression, **bindings: Any) -> None:
        """Execute a statement that returns nothing."""
        self.connection.execute(self._sql(query, bindings))

    def rows(self, query: str | exp.Expression, **bindings: Any) -> list[dict[str, Any]]:
        """The result as one dict per row."""
        cursor = self.connection.execute(self._sql(query, bindings))
        names = [entry[0] for entry in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def frame(self, query: str | exp.Expression, **bindings: Any) -> pd.DataFrame:
        """The result as a DataFrame."""
        cursor = self.connection.execute(self._sql(query, bindings))
        huge = [name for name, kind, *_ in cursor.description if str(kind) == "HUGEINT"]
        rows = cursor.df()
        # a sum of whole numbers is a whole number; DuckDB hands it over as floating point
        return rows.astype({name: "int64" for name in huge if not rows[name].hasnans})

    def scalar(self, query: str | exp.Expression, **bindings: Any) -> Any:
        """The first value of the first row."""
        return next(iter(self.rows(query, **bindings)[0].values()))

    def columns(self, source: exp.Expression) -> dict[str, str]:
        """The columns of a table or a file: name → engine type. Reads no more than the file's head."""
        rows = self.connection.execute(f"DESCRIBE {to_sql(exp.select('*').from_(source))}").fetchall()
        return {row[0]: row[1] for row in rows}

    def tables(self) -> list[str]:
        """The tables of this store as `schema.table`, sorted."""
        rows = self.connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_catalog = current_database()"
        ).fetchall()
        return sorted(row[0] for row in rows)

    def count(self, source: exp.Expression) -> int:
        """How many rows a table or a subquery has."""
        return self.scalar(exp.select(exp.Count(this=exp.Star())).from_(source))

    def has_table(self, name: str) -> bool:
        """Whether a table `schema.table` exists."""
        schema, _, bare = name.partition(".")
        found = self.connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
            [schema, bare],
        ).fetchall()
        return bool(found)

    def commit(self) -> None:
        """Make what was done so far lasting, and go on in a new transaction, with the lake still held."""
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")

    def create_if_absent(self, name: str, columns: dict[str, str]) -> None:
        """An empty table with columns of the contract's types, where there is none of that name."""
        self._create_schema(name)
        typed = exp.select(*(cast(exp.null(), kind).as_(key, quoted=True) for key, kind in columns.items()))
        self.run(exp.Create(this=table(name), kind="TABLE", exists=True, expression=typed.where(exp.false())))

    def create_temporary(self, name: str, query: exp.Expression) -> None:
        """A table of this connection alone."""
        temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
        target = exp.to_identifier(name)
        self.run(exp.Create(this=target, kind="TABLE", replace=True, expression=query, properties=temporary))

    def add_column(self, name: str, column_name: str, kind: str) -> None:
        """Add an empty column of one of the contract's types."""
        added = exp.ColumnDef(this=exp.to_identifier(column_name, quoted=True), kind=cast(exp.null(), kind).to)
        self.run(exp.Alter(this=table(name), kind="TABLE", actions=[added]))

    def type_name(self, kind: str) -> str:
        """How this engine names one of the contract's types."""
        return next(iter(self.columns(exp.select(cast(exp.null(), kind).as_("t")).subquery("s")).values()))

    def _create_schema(self, name: str) -> None:
        self.run(exp.Create(this=exp.Schema(this=name.split(".")[0]), kind="SCHEMA", exists=True))

    def create_table(self, name: str, query: exp.Expression) -> int:
        """Replace a table by the result of a query; gives its row count."""
        self._create_schema(name)
        self.run(exp.Create(this=table(name), kind="TABLE", replace=True, expression=query))
        # A mark of this content, by which `publish` sees whether readers have it already.
        self.connection.execute(f"COMMENT ON TABLE {to_sql(table(name))} IS '{uuid.uuid4()}'")
        return self.count(table(name))

    def copy_to_csv(self, query: exp.Expression, file: Path) -> None:
        """Write the result of a query as CSV (RFC 4180, UTF-8, header) beside the file, then rename it."""
        beside = file.with_name(f".{file.name}.part")
        beside.parent.mkdir(parents=True, exist_ok=True)
        self.connection.execute(f"COPY ({to_sql(query)}) TO {exp.Literal.string(str(beside)).sql('duckdb')} (HEADER)")
        beside.replace(file)

    @staticmethod
    def _sql(query: str | exp.Expression, bindings: dict[str, Any]) -> str:
        return to_sql(bind(parse(query) if isinstance(query, str) else query, bindings))


class DuckDBEngine:
    """The lake (one writer at a time) and its published copy (any number of readers)."""

    def __init__(self, lake: Path, published: Path, patience: float = 30.0):
        self.lake, self.published, self.patience = lake, published, patience

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction on the lake, committed at the end, rolled back on any error.

        A second writer waits up to `patience` seconds, then LakeBusyError says which process holds the lake.
        """
        self.lake.parent.mkdir(parents=True, exist_ok=True)
        connection = self._open_waiting()
        try:
            connection.execute("BEGIN")
            yield Session(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """The last published tables, read-only, with no way to files or the network.

        Raises FileNotFoundError where nothing has been published yet.
        """
        if not self.published.exists():
            raise FileNotFoundError(f"nothing is published yet in {self.published.parent.name}: run stage 1 first")
        connection = duckdb.connect(str(self.published), read_only=True)
        try:
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield Session(connection)
        finally:
            connection.close()

    def publish(self) -> None:
        """Bring what readers need up to date in a copy beside the published file, then swap it in by rename.

        Whoever reads the old file goes on reading it. Only tables built since the last time are copied;
        cost: one file copy, and one pass over those tables.
        """
        beside = self.published.with_name("published.part.duckdb")
        for left_over in (beside, beside.with_name(f"{beside.name}.wal")):
            left_over.unlink(missing_ok=True)
        if self.published.exists():
            shutil.copyfile(self.published, beside)
        connection = self._open_waiting()
        try:
            connection.execute(f"ATTACH {exp.Literal.string(str(beside)).sql('duckdb')} AS readers")
            ours, theirs = _marks(connection, "store"), _marks(connection, "readers")
            wanted = {n: m for n, m in ours.items() if n[0] in PUBLISHED_SCHEMAS or ".".join(n) in PUBLISHED_TABLES}
            for name in theirs.keys() - wanted.keys():
                connection.execute(f"DROP TABLE {to_sql(_in('readers', name))}")
            for name, mark in wanted.items():
                if mark is None or theirs.get(name) != mark:
                    _copy_to_readers(connection, name, mark)
            connection.execute("DETACH readers")
        finally:
            connection.close()
        beside.replace(self.published)

    def _open_waiting(self) -> duckdb.DuckDBPyConnection:
        # Attached under another name: the file's own, lake, would be taken for the schema lake.
        attach = f"ATTACH {exp.Literal.string(str(self.lake)).sql('duckdb')} AS store"
        deadline = time.monotonic() + self.patience
        while True:
            connection = duckdb.connect()
            try:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute(attach)
                connection.execute("USE store")
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


def _marks(connection: duckdb.DuckDBPyConnection, store: str) -> dict[tuple[str, str], str | None]:
    """The tables of a store, each with the mark of its content (none where rows are appended to it)."""
    query = "SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE database_name = ?"
    return {(schema, name): mark for schema, name, mark in connection.execute(query, [store]).fetchall()}


def _copy_to_readers(connection: duckdb.DuckDBPyConnection, name: tuple[str, str], mark: str | None) -> None:
    schema = exp.Table(this=exp.to_identifier(name[0], quoted=True), db=exp.to_identifier("readers"))
    connection.execute(to_sql(exp.Create(this=schema, kind="SCHEMA", exists=True)))
    target, rows = _in("readers", name), exp.select("*").from_(_in("store", name))
    connection.execute(to_sql(exp.Create(this=target, kind="TABLE", replace=True, expression=rows)))
    if mark:
        connection.execute(f"COMMENT ON TABLE {to_sql(target)} IS {exp.Literal.string(mark).sql('duckdb')}")


def _in(store: str, name: tuple[str, str]) -> exp.Table:
    return exp.table_(name[1], db=name[0], catalog=store, quoted=True)


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
