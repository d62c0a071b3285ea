"""A session on DuckDB: a short-lived connection to the lake, or to its published copy.

Statements are put together from names that sqlglot quoted and from trees that it wrote; no value is pasted into them.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import SQL_TYPES, column, literal, table, to_sql
from clv_helpers.engines.session import Delta, Session, bound

if TYPE_CHECKING:
    import pandas as pd

# The name under which the file is attached. The file's own, lake, would be taken for the schema lake.
STORE = "store"
VERSIONS = """
    SELECT schema_name || '.' || table_name, 'TABLE', comment FROM duckdb_tables()
    WHERE database_name = current_database() AND NOT temporary
    UNION ALL
    SELECT schema_name || '.' || view_name, 'VIEW', comment FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal AND NOT temporary
"""


class DuckDBSession(Session):
    """A session whose temporary tables are those of its connection, and whose versions are comments."""

    errors = (duckdb.Error,)

    def __init__(self, connection: duckdb.DuckDBPyConnection, memory: str = ""):
        super().__init__()
        self.connection, self.memory = connection, memory

    def run(self, query: str | exp.Expr, **bindings: Any) -> None:
        self.connection.execute(to_sql(bound(query, bindings)))

    def rows(self, query: str | exp.Expr, **bindings: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(to_sql(bound(query, bindings)))
        names = [entry[0] for entry in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def frame(self, query: str | exp.Expr, **bindings: Any) -> pd.DataFrame:
        cursor = self.connection.execute(to_sql(bound(query, bindings)))
        huge = [name for name, kind, *_ in cursor.description if str(kind) == "HUGEINT"]
        rows = cursor.df()
        # a sum of whole numbers is a whole number; DuckDB gives it as floating point
        return rows.astype({name: "int64" for name in huge if not rows[name].hasnans})

    def copy_to(self, query: exp.Expr, file: Path, **options: Any) -> int:
        file.parent.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f"{exp.to_identifier(key)} {to_sql(literal(value))}" for key, value in options.items())
        copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} ({listed})"
        return self.connection.execute(copy).fetchall()[0][0]

    def columns(self, source: exp.Expr) -> dict[str, str]:
        rows = self.connection.execute(f"DESCRIBE {to_sql(exp.select('*').from_(source))}").fetchall()
        return {row[0]: row[1] for row in rows}

    def commit(self) -> None:
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")

    def rollback(self) -> None:
        self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")

    def create_if_absent(self, name: str, columns: dict[str, Any]) -> None:
        self._create_schema(name)
        typed = ", ".join(f"{to_sql(column(key))} {SQL_TYPES[kind]}" for key, kind in columns.items())
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS {to_sql(table(name))} ({typed})")

    def add_column(self, name: str, column_name: str, kind: str) -> None:
        added = f"{to_sql(column(column_name))} {SQL_TYPES[kind]}"
        self.connection.execute(f"ALTER TABLE {to_sql(table(name))} ADD COLUMN {added}")

    def create_temporary(self, name: str, query: exp.Expr) -> None:
        self.connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {to_sql(table(name))} AS {to_sql(query)}")

    def load_file(self, name: str, query: exp.Expr, *more: exp.Expr) -> None:
        self.create_temporary(name, query)
        for statement in more:
            self.run(statement)

    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        self.connection.register("incoming", frame)
        self.create_temporary(name, exp.select("*").from_("incoming"))
        self.connection.unregister("incoming")

    def create_table(self, name: str, query: exp.Expr) -> None:
        self._make_room(name, "TABLE")
        self.connection.execute(f"CREATE OR REPLACE TABLE {to_sql(table(name))} AS {to_sql(query)}")
        self.deltas.pop(name, None)
        self.set_version(name, str(uuid.uuid4()))

    def create_view(self, name: str, query: exp.Expr, version: str) -> None:
        self._make_room(name, "VIEW")
        self.connection.execute(f"CREATE OR REPLACE VIEW {to_sql(table(name))} AS {to_sql(query)}")
        self._comment("VIEW", name, version)

    def change_rows(self, name: str, delta: Delta) -> None:
        """Each row is changed in place: deleted and inserted, it makes DuckDB rewrite the whole table (3 × as long)."""
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

    def drop(self, name: str) -> None:
        kind, _ = self._kinds_and_versions()[name]
        self.connection.execute(f"DROP {kind} {to_sql(table(name))}")

    def versions(self) -> dict[str, str | None]:
        return {name: version for name, (_, version) in self._kinds_and_versions().items()}

    def has_table(self, name: str) -> bool:
        """As Session says, without a scan of all versions."""
        schema, _, bare = name.partition(".")
        found = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
        return bool(self.connection.execute(found, [schema, bare]).fetchall())

    def set_version(self, name: str, version: str) -> None:
        self._comment("TABLE", name, version)

    def interrupt(self) -> None:
        self.connection.interrupt()

    def explain(self, sql: str, error: Exception) -> tuple[int | None, str]:
        """As Session says. What ran was written anew from its tree: so the line is asked for of the SQL as it stood."""
        if isinstance(error, duckdb.OutOfMemoryException):
            return None, f"it needs more than {self.memory} of memory; filter or aggregate first"
        if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
            try:
                self.connection.execute(f"EXPLAIN {sql}")
            except duckdb.Error as of_original:
                error = of_original
        text, _, place = str(error).partition("LINE ")
        line = re.match(r"\d+", place)
        return int(line[0]) if line else None, " ".join(re.sub(r"^\w+ Error: ", "", text).split())

    def _make_room(self, name: str, kind: str) -> None:
        """The schema for a table or view, and nothing of the other kind in its place."""
        self._create_schema(name)
        present, _ = self._kinds_and_versions().get(name, (kind, None))
        if present != kind:
            self.drop(name)

    def _create_schema(self, name: str) -> None:
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {to_sql(table(name.split('.')[0]))}")

    def _kinds_and_versions(self) -> dict[str, tuple[str, str | None]]:
        return {name: (kind, version) for name, kind, version in self.connection.execute(VERSIONS).fetchall()}

    def _comment(self, kind: str, name: str, version: str) -> None:
        """A version is a comment, which is part of the transaction and of the file."""
        self.connection.execute(f"COMMENT ON {kind} {to_sql(table(name))} IS {to_sql(literal(version))}")
