"""The published copy: brought up to date beside the file that readers have open, then swapped in by rename."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import column, literal, table, to_sql

# What readers see. Raw events stay in the lake: a board has no need for them.
SCHEMAS = ("derived", "lifetime", "profile", "insights", "audiences", "activation", "campaigns")
TABLES = ("lake.batches",)
# The names under which files are attached. The file's own, lake, would be taken for the schema lake.
STORE, READERS = "store", "readers"


@dataclass(frozen=True)
class Delta:
    """How a table differs from what it was under an earlier mark: its key, and two temporary tables of whole rows."""

    since: str | None
    key: tuple[str, ...]
    gone: str
    came: str


def publish(connection: duckdb.DuckDBPyConnection, published: Path, deltas: dict[str, Delta]) -> None:
    """Bring the published file up to date from the attached store. Whoever reads the old file goes on reading it.

    A table whose mark is known to readers is left alone; one with a delta since that mark takes the delta; any
    other is copied whole. Cost: one file copy, and what changed.
    """
    beside = published.with_name("published.part.duckdb")
    for left_over in (beside, beside.with_name(f"{beside.name}.wal")):
        left_over.unlink(missing_ok=True)
    if published.exists():
        shutil.copyfile(published, beside)
    connection.execute(f"ATTACH {to_sql(literal(str(beside)))} AS {READERS}")
    connection.execute(f"USE {READERS}")  # so that views are bound to the readers' tables
    ours, theirs = marks(connection, STORE), marks(connection, READERS)
    wanted = {n: m for n, m in ours.items() if n.split(".")[0] in SCHEMAS or n in TABLES}
    for name, (kind, _) in theirs.items():
        if wanted.get(name, (None, None))[0] != kind:
            connection.execute(to_sql(exp.Drop(tables=[table(name)], kind=kind)))
    for name, (kind, mark) in sorted(wanted.items(), key=lambda entry: entry[1][0] == "VIEW"):
        known = theirs.get(name, (None, None))[1]
        if mark is None or known != mark:
            delta = deltas.get(name)
            _bring(connection, name, kind, delta if delta and known and delta.since == known else None)
            if mark:
                comment(connection, table(name), kind, mark)
    connection.execute(f"USE {STORE}")
    connection.execute(f"DETACH {READERS}")
    beside.replace(published)


def marks(connection: duckdb.DuckDBPyConnection, store: str) -> dict[str, tuple[str, str | None]]:
    """The tables and views of a store: name → its kind, and the mark of its content if it has one."""
    query = (
        "SELECT schema_name || '.' || table_name, 'TABLE', comment FROM duckdb_tables() WHERE database_name = $1 "
        "UNION ALL SELECT schema_name || '.' || view_name, 'VIEW', comment FROM duckdb_views() "
        "WHERE database_name = $1 AND NOT internal"
    )
    return {name: (kind, mark) for name, kind, mark in connection.execute(query, [store]).fetchall()}


def comment(connection: duckdb.DuckDBPyConnection, name: exp.Table, kind: str, mark: str) -> None:
    """Write a mark to a table or view: as a comment, which is part of the transaction and of the file."""
    connection.execute(f"COMMENT ON {kind} {to_sql(name)} IS {to_sql(literal(mark))}")


def create_schema(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make the schema of a table or view `schema.name`, where there is none."""
    schema = exp.Schema(this=exp.to_identifier(name.split(".")[0], quoted=True))
    connection.execute(to_sql(exp.Create(this=schema, kind="SCHEMA", exists=True)))


def apply(connection: duckdb.DuckDBPyConnection, target: exp.Table, delta: Delta) -> None:
    """Take the rows that went from a table, and add those that came. Cost: one pass over the key columns."""
    keys = [column(name) for name in delta.key]
    gone = exp.select(*keys).from_(exp.to_identifier(delta.gone))
    connection.execute(
        to_sql(exp.delete(target, where=exp.In(this=exp.Tuple(expressions=keys), query=gone.subquery())))
    )
    came = exp.select("*").from_(exp.to_identifier(delta.came))
    connection.execute(to_sql(exp.Insert(this=target.copy(), expression=came)))


def _bring(connection: duckdb.DuckDBPyConnection, name: str, kind: str, delta: Delta | None) -> None:
    schema, bare = name.split(".")
    source = exp.table_(bare, db=schema, catalog=STORE, quoted=True)
    create_schema(connection, name)
    if kind == "VIEW":
        query = "SELECT sql FROM duckdb_views() WHERE database_name = $1 AND schema_name = $2 AND view_name = $3"
        text = connection.execute(query, [STORE, schema, bare]).fetchall()[0][0]
        connection.execute(to_sql(exp.Drop(tables=[table(name)], kind="VIEW", exists=True)))
        connection.execute(text)
    elif delta:
        apply(connection, table(name), delta)
    else:
        rows = exp.select("*").from_(source)
        connection.execute(to_sql(exp.Create(this=table(name), kind="TABLE", replace=True, expression=rows)))
