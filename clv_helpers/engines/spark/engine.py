"""Spark, for what one machine cannot hold: the lake as folders of Parquet, a local or a remote Spark over it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
from sqlglot import exp

from clv_helpers.engines import spill
from clv_helpers.engines.dialect import literal, to_sql
from clv_helpers.engines.engine import Engine, attached, reaches_files
from clv_helpers.engines.session import Session
from clv_helpers.engines.spark.session import FOLDERS, PLACES, SparkSession

KEPT_SECONDS = 3_600  # for readers who began before: only then is a folder that nothing names any more deleted


class SparkEngine(Engine):
    """DuckDB's lake, whose tables are empty: it says what there is, and in which folders of Parquet the rows are.

    Folders are never changed: a table that changes gets a new one, a batch of events its own, `_batch_id=7`. So what
    DuckDB commits and publishes is all that counts, and whoever reads goes on reading the folders of then.
    """

    has_files = True

    def __init__(
        self,
        address: str,
        folder: Path,
        patience: float = 30.0,
        *,
        metadata_tables: frozenset[str] = frozenset(),
        spark_above: int = 0,
        memory: str = "",
    ):
        super().__init__(folder / "lake.duckdb", folder / "published.duckdb", patience, memory=memory)
        self.address, self.folder, self.metadata_tables = address, folder, metadata_tables
        self.workbook, self.spark_above = folder.parent.name, spark_above

    def _session(self, connection: duckdb.DuckDBPyConnection, memory: str = "") -> Session:
        session = SparkSession(connection, memory, self.address, self.folder, self.metadata_tables, self.spark_above)
        self._limit(session.files.connection, spill.of_a_reader(self.folder))
        return session

    def _shut_off(self, connection: duckdb.DuckDBPyConnection) -> None:
        """As Engine says, but for the files of the tables, which DuckDB reads; what is no SELECT could write them."""
        if reaches_files(connection):  # else it is so already
            folders = exp.array(*(literal(str(self.folder / each)) for each in ("tables", "scratch")))
            connection.execute(f"SET allowed_directories = {to_sql(folders)}")
            connection.execute("SET enable_external_access = false")

    @contextlib.contextmanager
    def write(self, publish: bool = False, files: bool = False) -> Iterator[Session]:
        """As Engine says."""
        with super().write(publish, files) as session:
            session.connection.execute(PLACES)
            self._delete_unused(session.connection)
            yield session

    def _delete_unused(self, lake: duckdb.DuckDBPyConnection) -> None:
        """Delete what nothing names and nobody can still be reading. Cost: a walk over the folders' names."""
        kept = {folder for (folder,) in lake.execute(FOLDERS).fetchall()}
        if self.published.exists():
            with contextlib.closing(attached(self.published)) as published:
                kept |= {folder for (folder,) in published.execute(FOLDERS).fetchall()}
        for path in [*_leaves(self.folder / "tables"), *(self.folder / "scratch").glob("*")]:
            old = time.time() - path.stat().st_mtime > KEPT_SECONDS
            if old and str(path.relative_to(self.folder)) not in kept:
                shutil.rmtree(path)


def _leaves(folder: Path) -> Iterator[Path]:
    """The folders that Spark wrote: named by 32 hexadecimal digits."""
    for path, names, _ in os.walk(folder):
        for name in [name for name in names if len(name) == 32 and "=" not in name]:
            names.remove(name)
            yield Path(path, name)
