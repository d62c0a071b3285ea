"""The engine that a workbook names: the one place that knows all of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from clv_helpers.engines.duckdb.engine import DuckDBEngine
from clv_helpers.engines.session import LakeBusyError, NothingPublished, Session

__all__ = ["Engine", "LakeBusyError", "NothingPublished", "Session", "open_engine"]


class Engine(Protocol):
    """Writes one transaction at a time, and lets any number of readers see what was last published.

    `lake`, `published`: the files that are there once something was written, and published. `patience`: for how many
    seconds a writer waits for another one before LakeBusyError.
    """

    lake: Path
    published: Path
    patience: float

    def write(self, publish: bool = False) -> AbstractContextManager[Session]:
        """One transaction, committed at the end, rolled back on any error; then perhaps published."""

    def publish_only(self, *names: str) -> None:
        """Publish these tables alone, beside the others as last published."""

    def read(self, memory: str = "") -> AbstractContextManager[Session]:
        """The last published tables, read-only; with `memory`, for the SQL of others. Raises NothingPublished."""

    def read_latest(self) -> AbstractContextManager[Session]:
        """What is committed, read-only and without waiting, though it may not be published yet."""


def open_engine(address: str, folder: Path, *, metadata_tables: frozenset[str] = frozenset()) -> Engine:
    """`duckdb`, or a Spark (spark://local[2], spark://host:7077, sc://host:15002); its tables are in the folder.

    `metadata_tables`: those of a few rows per run, which Spark's driver keeps by itself.
    """
    if address == "duckdb":
        return DuckDBEngine(folder / "lake.duckdb", folder / "published.duckdb")
    from clv_helpers.engines.spark.engine import SparkEngine

    return SparkEngine(address, folder / "spark", metadata_tables=metadata_tables)
