"""A session on DuckDB: a short-lived connection to the lake, or to its published copy."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import cast, column, literal, table, to_sql
from clv_helpers.engines.session import Delta, Session, bound

if TYPE_CHECKING:
    import pandas as pd


# The name under which the file is attached. The file's own, lake, would be taken for the schema lake.
STORE = "store"


class DuckDBSession(Session):
    """A session whose temporary tables are those of its connection, and whose marks are comments."""

    errors = duckdb.Error

    def __init__(self, connection: duckdb.DuckDBPyConnection, memory: str = ""):
        super().__init__()
        self.connection, self.memory = connection, memory

    def run(self, query: str | exp.Expression, **bindings: Any) -> None:
        self.connection.execute(to_sql(bound(query, bindings)))

    def rows(self, query: str | exp.Expression, **bindings: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(to_sql(bound(query, bindings)))
        names = [entry[0] for entry in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def frame(self, query: str | exp.Expression, **bindings: Any) -> pd.DataFrame:
        cursor = self.connection.execute(to_sql(bound(query, bindings)))
        huge = [name for name, kind, *_ in cursor.description if str(kind) == "HUGEINT"]
        rows = cursor.df()
        # a sum of whole numbers is a whole number; DuckDB hands it over as floating point
        return rows.astype({name: "int64" for name in huge if not rows[name].hasnans})

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

    def columns(self, source: exp.Expression) -> dict[str, str]:
        rows = self.connection.execute(f"DESCRIBE {to_sql(exp.select('*').from_(source))}").fetchall()
        return {row[0]: row[1] for row in rows}

    def tables(self) -> list[str]:
        rows = self.connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_catalog = current_database()"
        ).fetchall()
        return sorted(row[0] for row in rows)

    def has_table(self, name: str) -> bool:
        schema, _, bare = name.partition(".")
        found = self.connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
            [schema, bare],
        ).fetchall()
        return bool(found)

    def commit(self) -> None:
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")

    def rollback(self) -> None:
        self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")

    def create_if_absent(self, name: str, columns: dict[str, str]) -> None:
        self._create_schema(name)
        typed = exp.select(*(cast(exp.null(), kind).as_(key, quoted=True) for key, kind in columns.items()))
        self.run(exp.Create(this=table(name), kind="TABLE", exists=True, expression=typed.where(exp.false())))

    def create_temporary(self, name: str, query: exp.Expression) -> None:
        temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
        target = exp.to_identifier(name)
        self.run(exp.Create(this=target, kind="TABLE", replace=True, expression=query, properties=temporary))

    def load_file(self, name: str, query: exp.Expression, *more: exp.Expression) -> None:
        self.create_temporary(name, query)
        for statement in more:
            self.run(statement)

    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        self.connection.register("incoming", frame)
        self.create_temporary(name, exp.select("*").from_("incoming"))
        self.connection.unregister("incoming")

    def add_column(self, name: str, column_name: str, kind: str) -> None:
        added = exp.ColumnDef(this=exp.to_identifier(column_name, quoted=True), kind=cast(exp.null(), kind).to)
        self.run(exp.Alter(this=table(name), kind="TABLE", actions=[added]))

    def create_table(self, name: str, query: exp.Expression) -> None:
        self._make_room(name, "TABLE")
        self.run(exp.Create(this=table(name), kind="TABLE", replace=True, expression=query))
        self.deltas.pop(name, None)
        self.set_mark(name, str(uuid.uuid4()))

    def create_view(self, name: str, query: exp.Expression, mark: str) -> None:
        self._make_room(name, "VIEW")
        self.run(exp.Create(this=table(name), kind="VIEW", replace=True, expression=query))
        self._comment(name, "VIEW", mark)

    def change_rows(self, name: str, delta: Delta) -> None:
        """Each row is changed in place: deleted and inserted, it makes DuckDB rewrite the whole table (3 × as long)."""
        keys = [column(key) for key in delta.key]
        left = exp.except_(*(exp.select(*keys).from_(exp.to_identifier(side)) for side in (delta.gone, delta.came)))
        self.run(exp.delete(table(name), where=exp.In(this=exp.Tuple(expressions=keys), query=left.subquery())))
        self.run(_merge(table(name), delta, list(self.columns(table(name)))))
        self.set_mark(name, str(uuid.uuid4()))

    def marks(self) -> dict[str, str | None]:
        return {name: mark for name, (_, mark) in self._kinds_and_marks().items()}

    def set_mark(self, name: str, mark: str) -> None:
        self._comment(name, "TABLE", mark)

    def drop(self, name: str) -> None:
        kind, _ = self._kinds_and_marks()[name]
        self.run(exp.Drop(tables=[table(name)], kind=kind))

    def _make_room(self, name: str, kind: str) -> None:
        """The schema for a table or view, and nothing of the other kind in its place."""
        self._create_schema(name)
        there = self._kinds_and_marks().get(name)
        if there and there[0] != kind:
            self.run(exp.Drop(tables=[table(name)], kind=there[0]))

    def _create_schema(self, name: str) -> None:
        schema = exp.Schema(this=exp.to_identifier(name.split(".")[0], quoted=True))
        self.run(exp.Create(this=schema, kind="SCHEMA", exists=True))

    def _kinds_and_marks(self) -> dict[str, tuple[str, str | None]]:
        query = (
            "SELECT schema_name || '.' || table_name, 'TABLE', comment FROM duckdb_tables() WHERE database_name = $1 "
            "UNION ALL SELECT schema_name || '.' || view_name, 'VIEW', comment FROM duckdb_views() "
            "WHERE database_name = $1 AND NOT internal"
        )
        return {name: (kind, mark) for name, kind, mark in self.connection.execute(query, [STORE]).fetchall()}

    def _comment(self, name: str, kind: str, mark: str) -> None:
        """A mark is a comment, which is part of the transaction and of the file."""
        self.connection.execute(f"COMMENT ON {kind} {to_sql(table(name))} IS {to_sql(literal(mark))}")

    def copy_to(self, query: exp.Expression, file: Path, **options: Any) -> int:
        file.parent.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f"{exp.to_identifier(key)} {to_sql(literal(value))}" for key, value in options.items())
        copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} ({listed})"
        return self.connection.execute(copy).fetchall()[0][0]


def _merge(target: exp.Table, delta: Delta, names: list[str]) -> exp.Merge:
    """MERGE of the rows that came: by key into the row's place, or as a new row."""
    ours = {name: exp.column(exp.to_identifier(name, quoted=True), table="old") for name in names}
    theirs = {name: exp.column(exp.to_identifier(name, quoted=True), table="new") for name in names}
    values = [exp.EQ(this=column(name), expression=theirs[name]) for name in names if name not in delta.key]
    targets = exp.Tuple(expressions=[column(name) for name in names])
    insert = exp.Insert(this=targets, expression=exp.Tuple(expressions=list(theirs.values())))
    whens = [exp.When(matched=False, then=insert)]
    if values:
        whens.insert(0, exp.When(matched=True, then=exp.Update(expressions=values)))
    return exp.Merge(
        this=exp.alias_(target, "old", table=True),
        using=exp.alias_(table(delta.came), "new", table=True),
        on=exp.and_(*(exp.EQ(this=ours[name], expression=theirs[name]) for name in delta.key)),
        whens=exp.Whens(expressions=whens),
    )
