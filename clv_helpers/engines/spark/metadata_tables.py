"""Metadata tables: batches, checkpoints, runs. A few rows per run, kept by the driver, in DuckDB.

They are part of the same commit as the tables: the manifest names the file that holds them.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import expression, literal, table, to_sql
from clv_helpers.engines.duckdb.session import STORE, DuckDBSession
from clv_helpers.engines.spark.store import Manifest, Store


class MetadataTables:
    """The metadata tables of one session, in memory; `save` writes those that changed."""

    def __init__(self, store: Store, manifest: Manifest, read_only: bool, memory: str = ""):
        self.store, self.memory = store, memory
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
        self.files = {name: file for name, (file, _) in manifest.metadata.items()}
        self.versions = {name: version for name, (_, version) in manifest.metadata.items()}
        for name, file in self.files.items():
            file_rows = expression("SELECT * FROM READ_PARQUET($file)", file=str(self.store.root / file))
            self.session.create_table(name, file_rows)
        self.states = dict.fromkeys(self.files, uuid.uuid4().hex)

    def close(self) -> None:
        self.session.connection.close()

    def rollback(self, manifest: Manifest) -> None:
        """The tables as they were at the last commit."""
        self.close()
        self._open(manifest)

    def tables(self) -> list[str]:
        return self.session.tables()

    def run(self, name: str, tree: exp.Expr) -> None:
        """Execute a statement on one of the tables."""
        self.session.run(tree)
        self._changed(name)

    def create_table(self, name: str, query: exp.Expr) -> None:
        self.session.create_table(name, query)
        self._changed(name)
        self.versions[name] = str(uuid.uuid4())

    def drop(self, name: str) -> None:
        self.session.drop(name)
        for known in (self.files, self.versions, self.states):
            known.pop(name, None)

    def state(self, name: str) -> str:
        """Changes with the rows, within this session."""
        return f"{name} {self.states.get(name)}"

    def arrow(self, name: str) -> Any:
        """One of them as an Arrow table, for Spark to join."""
        return self.session.connection.sql(f"SELECT * FROM {to_sql(table(name))}").to_arrow_table()

    def save(self) -> dict[str, tuple[str, str | None]]:
        """Write those that changed; gives file and version of each."""
        for name in self.tables():
            if name not in self.files:
                file = Path("metadata") / f"{name}-{uuid.uuid4().hex}.parquet"
                rows = exp.select("*").from_(table(name))
                self.session.copy_to(rows, self.store.root / file, format="parquet")
                self.files[name] = str(file)
        return {name: (file, self.versions.get(name)) for name, file in self.files.items()}

    def _changed(self, name: str) -> None:
        self.files.pop(name, None)
        self.states[name] = uuid.uuid4().hex
