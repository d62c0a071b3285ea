"""Spark, for what one machine cannot hold: the lake as folders of Parquet, a local or a remote Spark over it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from clv_helpers.engines.duckdb.engine import LakeBusyError, NothingPublished
from clv_helpers.engines.session import Session
from clv_helpers.engines.spark.connection import connect
from clv_helpers.engines.spark.session import SparkSession
from clv_helpers.engines.spark.store import Manifest, Store


class SparkEngine:
    """The lake and its published state, as two manifests over the same folders. See spark_store."""

    def __init__(
        self, address: str, folder: Path, patience: float = 30.0, *, metadata_tables: frozenset[str] = frozenset()
    ):
        self.address, self.store, self.patience = address, Store(folder, metadata_tables), patience
        self.lake, self.published = folder / "lake.json", folder / "published.json"

    @contextlib.contextmanager
    def write(self, publish: bool = False) -> Iterator[Session]:
        """One transaction on the lake: see DuckDBEngine.write. A commit is the renaming of one small file."""
        with self._alone():
            self.store.sweep(self.store.read(self.lake), self.store.read(self.published))
            with contextlib.closing(SparkSession(connect(self.address), self.store, self.lake)) as session:
                yield session
                session.commit()
                if publish:
                    self.store.write(self.published, session.manifest)

    @contextlib.contextmanager
    def read(self, memory: str = "") -> Iterator[Session]:
        """The last published tables, and no others; Spark's own memory is its affair, `memory` that of the driver.

        Raises NothingPublished where nothing has been published yet.
        """
        if not self.published.exists():
            raise NothingPublished(f"nothing is published yet in {self.store.root.parent.name}: run stage 1 first")
        spark = connect(self.address)
        with contextlib.closing(SparkSession(spark, self.store, self.published, True, memory)) as session:
            yield session

    def publish_only(self, *names: str) -> None:
        """Publish these tables alone, beside the others as last published: see DuckDBEngine.publish_only."""
        if not self.published.exists():
            return
        with self._alone():
            before, now = self.store.read(self.published), self.store.read(self.lake)
            tables = {**before.tables, **{name: now.tables[name] for name in names if name in now.tables}}
            books = {**before.books, **{name: now.books[name] for name in names if name in now.books}}
            self.store.write(self.published, Manifest(tables, books))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time: the lock goes with the process, however it ends."""
        self.store.root.mkdir(parents=True, exist_ok=True)
        with (self.store.root / "lock").open("a+") as lock:
            self._take(lock)
            lock.seek(0)
            lock.truncate()
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _take(self, lock: TextIO) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    raise LakeBusyError(
                        f"{self.store.root.parent.name}: process {lock.read()} is writing to the lake, and did not "
                        f"finish within {self.patience:.0f} seconds; wait for it or stop it, then run again"
                    ) from None
                time.sleep(0.05)
