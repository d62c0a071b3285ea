"""What a workbook notes of itself: batches, checkpoints, runs. A few rows per run, kept by the driver, in DuckDB.

They are part of the same commit as the tables: the manifest names the file that holds them.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import literal, table, to_sql
from clv_helpers.engines.duckdb.session import STORE, DuckDBSession
from clv_helpers.engines.spark.store import Manifest, Store


class Books:
    """The books of one session, in memory; `save` writes those that changed."""

    def __init__(self, store: Store, manifest: Manifest, read_only: bool, memory: str = ""):
        self.store, self.memory = store, memory
        self.versions: dict[str, str] = {}
        self._open(manifest)
        if memory:
            self.session.connection.execute(f"SET memory_limit = {to_sql(literal(memory))}")
        if read_only:
            self.session.connection.execute("SET enable_external_access = false")
            self.session.connection.execute("SET lock_configuration = true")

    def _open(self, manifest: Manifest) -> None:
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH ':memory:' AS {STORE}")
        connection.execute(f"USE {STORE}")
        self.session = DuckDBSession(connection, self.memory)
        self.files = {name: file for name, (file, _) in manifest.books.items()}
        self.marks = {name: mark for name, (_, mark) in manifest.books.items()}
        for name, file in self.files.items():
            rows = exp.Anonymous(this="read_parquet", expressions=[literal(str(self.store.root / file))])
            self.session.create_table(name, exp.select("*").from_(exp.Table(this=rows)))
        self.versions = dict.fromkeys(self.files, uuid.uuid4().hex)

    def close(self) -> None:
        self.session.connection.close()

    def rollback(self, manifest: Manifest) -> None:
        """The books as they were at the last commit."""
        self.close()
        self._open(manifest)

    def tables(self) -> list[str]:
        return self.session.tables()

    def run(self, tree: exp.Expression) -> None:
        """Execute a statement on a book."""
        self.session.run(tree)
        target = tree.find(exp.Table)
        self._changed(f"{target.db}.{target.name}")

    def create_table(self, name: str, query: exp.Expression) -> None:
        self.session.create_table(name, query)
        self._changed(name)
        self.marks[name] = str(uuid.uuid4())

    def drop(self, name: str) -> None:
        self.session.drop(name)
        for known in (self.files, self.marks, self.versions):
            known.pop(name, None)

    def version(self, name: str) -> str:
        """Changes with the rows."""
        return f"{name} {self.versions.get(name)}"

    def arrow(self, name: str) -> Any:
        """A book as an Arrow table, for Spark to join."""
        return self.session.connection.sql(f"SELECT * FROM {to_sql(table(name))}").to_arrow_table()

    def save(self) -> dict[str, tuple[str, str | None]]:
        """Write the books that changed; gives file and mark of each."""
        for name in self.tables():
            if name not in self.files:
                file = Path("books") / f"{name}-{uuid.uuid4().hex}.parquet"
                rows = exp.select("*").from_(table(name))
                self.session.copy_to(rows, self.store.root / file, format="parquet")
                self.files[name] = str(file)
        return {name: (file, self.marks.get(name)) for name, file in self.files.items()}

    def _changed(self, name: str) -> None:
        self.files.pop(name, None)
        self.versions[name] = uuid.uuid4().hex
