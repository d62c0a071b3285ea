"""A session with the lake for as long as one piece of work takes: SQL in, rows out.

This one is a short-lived connection to DuckDB; Spark's stands on it. Statements are put together from names that
sqlglot quoted and from trees that it wrote; no value is pasted into them.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import (
    DIALECT,
    SQL_TYPES,
    bind,
    cast,
    column,
    expression,
    literal,
    parsed,
    table,
    table_name,
    to_sql,
)  # fmt: skip
from clv_helpers.engines.messages import is_of_the_sql, without_values

if TYPE_CHECKING:
    import pandas as pd

# The schema main is left out: what an engine keeps there is no table of the lake.
VERSIONS = """
    SELECT schema_name || '.' || table_name, 'TABLE', comment FROM duckdb_tables()
    WHERE database_name = current_database() AND NOT temporary AND schema_name <> 'main'
    UNION ALL
    SELECT schema_name || '.' || view_name, 'VIEW', comment FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal AND NOT temporary
"""


@dataclass(frozen=True)
class Delta:
    """How a table differs from what it was under an earlier version: its key, and two temporary tables of its rows."""

    since: str | None
    key: tuple[str, ...]
    removed: str
    added: str


class Session:
    """Takes SQL text or sqlglot trees in DuckDB's dialect, and values by name.

    `errors`: what the engine raises for a statement that it refuses. A table's version is its comment, which is part
    of the transaction and of the file.
    """

    errors: tuple[type[Exception], ...] = (duckdb.Error,)

    def __init__(self, connection: duckdb.DuckDBPyConnection, memory: str = ""):
        self.connection, self.memory = connection, memory
        self.deltas: dict[str, Delta] = {}
        # What is there, as read once: only this session changes it, and reading it costs 3 ms at a hundred tables.
        self._catalog: dict[str, tuple[str, str | None]] | None = None
        self._columns: dict[str, dict[str, str]] = {}

    def make_ready(self, sql: str) -> None:
        """Start what answering a query takes, before its seconds are counted."""

    def close(self) -> None:
        """Let go of the lake; what was not committed is undone."""
        self.connection.close()

    def run(self, query: str | exp.Expr, **bindings: Any) -> None:
        """Execute a statement that returns nothing."""
        tree = bound(query, bindings)
        if not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            self._forget_what_is_there()
        self.connection.execute(_written(tree))

    def rows(self, query: str | exp.Expr, **bindings: Any) -> list[dict[str, Any]]:
        """The result as one dict per row."""
        cursor = self.connection.execute(_written(bound(query, bindings)))
        names = [entry[0] for entry in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def frame(self, query: str | exp.Expr, **bindings: Any) -> pd.DataFrame:
        """The result as a DataFrame."""
        cursor = self.connection.execute(_written(bound(query, bindings)))
        huge = [name for name, kind, *_ in cursor.description if str(kind) == "HUGEINT"]
        rows = cursor.df()
        # a sum of whole numbers is a whole number; DuckDB gives it as floating point
        return rows.astype({name: "int64" for name in huge if not rows[name].hasnans})

    def scalar(self, query: str | exp.Expr, **bindings: Any) -> Any:
        """The first value of the first row."""
        return next(iter(self.rows(query, **bindings)[0].values()))

    def count(self, source: exp.Expr) -> int:
        """How many rows a table or a subquery has."""
        return self.connection.execute(f"SELECT COUNT(*) FROM {to_sql(source)}").fetchall()[0][0]

    def copy_to(self, query: exp.Expr, file: Path, **options: Any) -> int:
        """Write the result of a query to a file, with options of DuckDB's COPY; gives how many rows."""
        file.parent.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f"{exp.to_identifier(key)} {to_sql(literal(value))}" for key, value in options.items())
        copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} ({listed})"
        return self.connection.execute(copy).fetchall()[0][0]

    def columns(self, source: exp.Expr) -> dict[str, str]:
        """The columns of a table or a query: name → type, by DuckDB's name for it. Reads no rows."""
        name = table_name(source) if isinstance(source, exp.Table) and source.db and not source.alias else ""
        if name in self._columns:
            return dict(self._columns[name])
        rows = self.connection.execute(f"DESCRIBE {to_sql(exp.select('*').from_(source))}").fetchall()
        found = {row[0]: row[1] for row in rows}
        if name in self._kinds_and_versions():
            self._columns[name] = found
        return dict(found)

    def type_name(self, kind: str) -> str:
        """The name that `columns` gives to one of the contract's types."""
        return next(iter(self.columns(exp.select(cast(exp.null(), kind).as_("t")).subquery("s")).values()))

    def finish(self) -> None:
        """Make what was done so far lasting: the moment of the commit."""
        self.connection.execute("COMMIT")

    def commit(self) -> None:
        """Make what was done so far lasting, and go on in a new transaction, with the lake still held."""
        self.finish()
        self.connection.execute("BEGIN")

    def rollback(self) -> None:
        """Undo what was done since the last commit, and go on in a new transaction, with the lake still held."""
        self.connection.execute("ROLLBACK")
        self._forget_what_is_there()
        self.connection.execute("BEGIN")

    def create_if_absent(self, name: str, columns: dict[str, Any]) -> None:
        """An empty table with columns of the contract's types, where there is none of that name."""
        if self.has_table(name):
            return
        self._create_schema(name)
        typed = ", ".join(f"{to_sql(column(key))} {SQL_TYPES[kind]}" for key, kind in columns.items())
        self.connection.execute(f"CREATE TABLE {to_sql(table(name))} ({typed})")
        self._kinds_and_versions()[name] = ("TABLE", None)

    def add_column(self, name: str, column_name: str, kind: str) -> None:
        """Add an empty column of one of the contract's types."""
        added = f"{to_sql(column(column_name))} {SQL_TYPES[kind]}"
        self.connection.execute(f"ALTER TABLE {to_sql(table(name))} ADD COLUMN {added}")
        self._columns.clear()  # also of views on it

    def create_temporary(self, name: str, query: str | exp.Expr) -> None:
        """A table of this session alone."""
        text = query if isinstance(query, str) else to_sql(query)
        self.connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {to_sql(table(name))} AS {text}")

    def load_file(self, name: str, query: str | exp.Expr, *more: exp.Expr, **files: exp.Expr) -> None:
        """A query over files as a table of this session alone, and statements that add to it while the file is open.

        `files`: the scans of files that the query names.

        Raises duckdb.Error, on any engine, for a file that cannot be read: files come in one by one, and DuckDB reads
        each, streaming, wherever the rows go then. So every engine accepts and rejects the same rows.
        """
        for file, scan in files.items():
            select = exp.select("*").from_(scan)
            self.connection.execute(f"CREATE OR REPLACE TEMPORARY VIEW {to_sql(table(file))} AS {to_sql(select)}")
        self.create_temporary(name, query)
        for file in files:
            self.connection.execute(f"DROP VIEW {to_sql(table(file))}")
        for statement in more:
            self.run(statement)

    def lend_frame(self, name: str, frame: pd.DataFrame) -> None:
        """A DataFrame that the query of `load_file` may read as a table, on any engine."""
        self.connection.register(name, frame)

    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        """A DataFrame as a table of this session alone: how results of Python come to where the rows are."""
        self.connection.register("incoming", frame)
        self.create_temporary(name, exp.select("*").from_("incoming"))
        self.connection.unregister("incoming")

    def create_table(self, name: str, query: exp.Expr, near: str = "") -> None:
        """Replace a table by the result of a query, and give it a new version.

        `near`: a column whose equal values lie together, so that the rows of a few of them are found without reading
        all. Spark, which would send every row elsewhere for it, leaves them as they come.
        """
        if near:
            query = exp.select("*").from_(query.assert_is(exp.Query).subquery("made")).order_by(column(near))
        self._make_room(name, "TABLE")
        self.connection.execute(f"CREATE OR REPLACE TABLE {to_sql(table(name))} AS {to_sql(query)}")
        self.deltas.pop(name, None)
        self.set_version(name, str(uuid.uuid4()))

    def create_view(self, name: str, query: exp.Expr, version: str) -> None:
        """Replace a view. The version is the caller's, who knows from what it is made."""
        self._make_room(name, "VIEW")
        self.connection.execute(f"CREATE OR REPLACE VIEW {to_sql(table(name))} AS {to_sql(query)}")
        self._comment("VIEW", name, version)

    def change_rows(self, name: str, delta: Delta) -> None:
        """Remove and add the rows of a difference, and give the table a new version.

        Each row is changed in place: deleted and inserted, it makes DuckDB rewrite the whole table (3 × as long).
        """
        target, added, removed = (to_sql(table(source)) for source in (name, delta.added, delta.removed))
        keys = [to_sql(column(key)) for key in delta.key]
        names = [to_sql(column(key)) for key in self.columns(table(name))]
        listed = ", ".join(keys)
        self.connection.execute(
            f"DELETE FROM {target} WHERE ({listed}) IN "
            f"(SELECT ({listed}) FROM (SELECT {listed} FROM {removed} EXCEPT SELECT {listed} FROM {added}))"
        )
        changes = ", ".join(f"{key} = new.{key}" for key in names if key not in keys)
        self.connection.execute(
            f"MERGE INTO {target} AS old USING {added} AS new "
            f"ON {' AND '.join(f'old.{key} = new.{key}' for key in keys)} "
            f"{f'WHEN MATCHED THEN UPDATE SET {changes} ' if changes else ''}"
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f'new.{key}' for key in names)})"
        )
        self.set_version(name, str(uuid.uuid4()))

    def difference(self, name: str, key: tuple[str, ...], old: str, new: str, since: str | None) -> Delta | None:
        """How the rows of one table differ from those of another; None where they do not.

        The session keeps it as the delta of table `name` since a version, for what is refreshed after it.
        """
        delta = Delta(since, key, *(f"{name.replace('.', '_')}_{side}" for side in ("removed", "added")))
        for side, rows, others in ((delta.removed, old, new), (delta.added, new, old)):
            difference = "SELECT * FROM $rows EXCEPT SELECT * FROM $others"
            self.create_temporary(side, expression(difference, rows=table(rows), others=table(others)))
        if not self.count(table(delta.removed)) + self.count(table(delta.added)):
            return None
        self.deltas[name] = delta
        return delta

    def drop(self, name: str) -> None:
        """Drop a table or a view."""
        kind, _ = self._kinds_and_versions()[name]
        self.connection.execute(f"DROP {kind} {to_sql(table(name))}")
        del self._kinds_and_versions()[name]
        self._columns.clear()  # also of views on it

    def versions(self) -> dict[str, str | None]:
        """The version of each table and view, `schema.table`: it changes with the rows. None: rows come without one."""
        return {name: version for name, (_, version) in self._kinds_and_versions().items()}

    def version(self, name: str) -> str | None:
        """The version of one table; None where there is no such table, or it has none."""
        _, version = self._kinds_and_versions().get(name, ("", None))
        return version

    def set_version(self, name: str, version: str) -> None:
        """Give a table its version."""
        self._comment("TABLE", name, version)

    def tables(self) -> list[str]:
        """The tables and views of this store as `schema.table`, sorted."""
        return sorted(self.versions())

    def has_table(self, name: str) -> bool:
        """Whether a table or view `schema.table` exists."""
        return name in self._kinds_and_versions()

    def interrupt(self) -> None:
        """Stop the query that runs in another thread: it ends there with an error."""
        self.connection.interrupt()

    def explain(self, sql: str, error: Exception) -> tuple[int | None, str]:
        """In which line the SQL of others is wrong, where the engine knows, and why: one of `errors` in a sentence.

        What ran was written anew from its tree: so the line is asked for of the SQL as it stood.
        """
        if isinstance(error, duckdb.OutOfMemoryException):
            return None, f"it needs more than {self.memory} of memory; filter or aggregate first"
        if is_of_the_sql(error):
            try:
                self.connection.execute(f"EXPLAIN {sql}")
            except duckdb.Error as of_original:
                error = of_original
        text, _, place = str(error).partition("LINE ")
        line = re.match(r"\d+", place)
        why = (
            " ".join(re.sub(r"^\w+ Error: ", "", text).split()) if is_of_the_sql(error) else without_values(error, sql)
        )
        return int(line[0]) if line else None, why

    def _make_room(self, name: str, kind: str) -> None:
        """The schema for a table or view, and nothing of the other kind in its place."""
        self._create_schema(name)
        self._columns.clear()  # also of views on it
        present, _ = self._kinds_and_versions().get(name, (kind, None))
        if present != kind:
            self.drop(name)

    def _create_schema(self, name: str) -> None:
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {to_sql(table(name.split('.')[0]))}")

    def _forget_what_is_there(self) -> None:
        self._catalog = None
        self._columns.clear()

    def _kinds_and_versions(self) -> dict[str, tuple[str, str | None]]:
        if self._catalog is None:
            rows = self.connection.execute(VERSIONS).fetchall()
            self._catalog = {name: (kind, version) for name, kind, version in rows}
        return self._catalog

    def _comment(self, kind: str, name: str, version: str) -> None:
        self.connection.execute(f"COMMENT ON {kind} {to_sql(table(name))} IS {to_sql(literal(version))}")
        self._kinds_and_versions()[name] = (kind, version)


def _written(tree: exp.Expression) -> str:
    """A tree of one's own as SQL: the copy that `to_sql` makes of another's takes as long as the writing."""
    return tree.sql(dialect=DIALECT, copy=False)


def bound(query: str | exp.Expr, bindings: dict[str, Any]) -> exp.Expression:
    """SQL text or a tree with its values in it."""
    return bind(parsed(query) if isinstance(query, str) else query, bindings)
