"""A connection to the store for as long as one piece of work takes: SQL in, rows out."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import bind, cast, column, literal, parse, table, to_sql

if TYPE_CHECKING:
    import pandas as pd


# The name under which the file is attached. The file's own, lake, would be taken for the schema lake.
STORE = "store"


@dataclass(frozen=True)
class Delta:
    """How a table differs from what it was under an earlier mark: its key, and two temporary tables of whole rows."""

    since: str | None
    key: tuple[str, ...]
    gone: str
    came: str


class Session:
    """A short-lived connection. Takes SQL text or sqlglot trees, and values by name."""

    errors = duckdb.Error  # what the engine raises for a statement that it refuses

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection
        self.deltas: dict[str, Delta] = {}

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

    def interrupt(self) -> None:
        """Stop the query that runs in another thread: it ends there with an error."""
        self.connection.interrupt()

    def check(self, sql: str) -> None:
        """Run a query as it is written, for the engine to say in which line it is wrong."""
        self.connection.execute(self.connection.extract_statements(sql)[0])

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

    def rollback(self) -> None:
        """Undo what was done since the last commit, and go on in a new transaction, with the lake still held."""
        self.connection.execute("ROLLBACK")
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

    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        """A DataFrame as a table of this connection alone: how results of Python come to where the rows are."""
        self.connection.register("incoming", frame)
        self.create_temporary(name, exp.select("*").from_("incoming"))
        self.connection.unregister("incoming")

    def add_column(self, name: str, column_name: str, kind: str) -> None:
        """Add an empty column of one of the contract's types."""
        added = exp.ColumnDef(this=exp.to_identifier(column_name, quoted=True), kind=cast(exp.null(), kind).to)
        self.run(exp.Alter(this=table(name), kind="TABLE", actions=[added]))

    def type_name(self, kind: str) -> str:
        """How this engine names one of the contract's types."""
        return next(iter(self.columns(exp.select(cast(exp.null(), kind).as_("t")).subquery("s")).values()))

    def create_table(self, name: str, query: exp.Expression) -> None:
        """Replace a table by the result of a query, and mark it as new."""
        self._make_room(name, "TABLE")
        self.run(exp.Create(this=table(name), kind="TABLE", replace=True, expression=query))
        self.deltas.pop(name, None)
        self.set_mark(name, str(uuid.uuid4()))

    def create_view(self, name: str, query: exp.Expression, mark: str) -> None:
        """Replace a view. The mark is the caller's, who knows from what it is made."""
        self._make_room(name, "VIEW")
        self.run(exp.Create(this=table(name), kind="VIEW", replace=True, expression=query))
        self._comment(name, "VIEW", mark)

    def difference(self, name: str, key: tuple[str, ...], old: str, new: str, since: str | None) -> Delta | None:
        """How the rows of one table differ from those of another; None where they do not.

        The session keeps it as the delta of table `name` since a mark, for what follows from it.
        """
        gone, came = (f"{name.replace('.', '_')}_{side}" for side in ("gone", "came"))
        rows = [exp.select("*").from_(table(side)) for side in (old, new)]
        self.create_temporary(gone, exp.except_(*rows))
        self.create_temporary(came, exp.except_(*reversed(rows)))
        if not self.count(table(gone)) + self.count(table(came)):
            return None
        self.deltas[name] = Delta(since, key, gone, came)
        return self.deltas[name]

    def change_rows(self, name: str, delta: Delta) -> None:
        """Take the rows that went from a table, add those that came, and mark it as new.

        A row is changed in place: deleted and inserted, it would make DuckDB rewrite the whole table (measured: 3 ×).
        """
        keys = [column(key) for key in delta.key]
        left = exp.except_(*(exp.select(*keys).from_(exp.to_identifier(side)) for side in (delta.gone, delta.came)))
        self.run(exp.delete(table(name), where=exp.In(this=exp.Tuple(expressions=keys), query=left.subquery())))
        self.run(_merge(table(name), delta, list(self.columns(table(name)))))
        self.set_mark(name, str(uuid.uuid4()))

    def marks(self) -> dict[str, str | None]:
        """The mark of each table's and view's content, changed with it. None: rows are added unmarked."""
        return {name: mark for name, (_, mark) in self._kinds_and_marks().items()}

    def mark(self, name: str) -> str | None:
        """The mark of one table; None where there is no such table, or it has none."""
        return self.marks().get(name)

    def set_mark(self, name: str, mark: str) -> None:
        """Give a table its mark."""
        self._comment(name, "TABLE", mark)

    def drop(self, name: str) -> None:
        """Drop a table or a view."""
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
        """Write the result of a query to a file, with options of DuckDB's COPY; gives how many rows."""
        file.parent.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f"{exp.to_identifier(key)} {to_sql(literal(value))}" for key, value in options.items())
        copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} ({listed})"
        return self.connection.execute(copy).fetchall()[0][0]

    @staticmethod
    def _sql(query: str | exp.Expression, bindings: dict[str, Any]) -> str:
        return to_sql(bind(parse(query) if isinstance(query, str) else query, bindings))


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
