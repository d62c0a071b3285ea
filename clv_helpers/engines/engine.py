"""The engine that a workbook names: the one place that knows all of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from clv_helpers.engines.duckdb.engine import DuckDBEngine
from clv_helpers.engines.session import Session


class Engine(Protocol):
    """Writes one transaction at a time, and lets any number of readers see what was last published."""

    lake: Path
    published: Path

    def write(self, publish: bool = False) -> AbstractContextManager[Session]:
        """One transaction, committed at the end, rolled back on any error; then perhaps published."""

    def publish_only(self, *names: str) -> None:
        """Publish these tables alone, beside the others as last published."""

    def read(self, memory: str = "") -> AbstractContextManager[Session]:
        """The last published tables, read-only; with `memory`, for the SQL of others."""


def open_engine(address: str, folder: Path, *, metadata_tables: frozenset[str] = frozenset()) -> Engine:
    """`duckdb`, or a Spark (spark://local[2], spark://host:7077, sc://host:15002); its tables are in the folder.

    `metadata_tables`: those of a few rows per run, which Spark's driver keeps by itself.
    """
    if address == "duckdb":
        return DuckDBEngine(folder / "lake.duckdb", folder / "published.duckdb")
    from clv_helpers.engines.spark.engine import SparkEngine

    return SparkEngine(address, folder / "spark", metadata_tables=metadata_tables)
