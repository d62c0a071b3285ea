"""Spark, for what one machine cannot hold: the lake as folders of Parquet, a local or a remote Spark over it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from clv_helpers.engines.session import LakeBusyError, NothingPublished, Session
from clv_helpers.engines.spark.connection import connect
from clv_helpers.engines.spark.session import SparkSession
from clv_helpers.engines.spark.store import Manifest, Store
from clv_helpers.files import held


class SparkEngine:
    """The lake and its published state, as two manifests over the same folders. See store.py."""

    def __init__(
        self, address: str, folder: Path, patience: float = 30.0, *, metadata_tables: frozenset[str] = frozenset()
    ):
        self.address, self.store, self.patience = address, Store(folder, metadata_tables), patience
        self.lake, self.published = folder / "lake.json", folder / "published.json"

    @contextlib.contextmanager
    def write(self, publish: bool = False) -> Iterator[Session]:
        """One transaction on the lake: see DuckDBEngine.write. A commit is the renaming of one small file."""
        with self._alone():
            self.store.delete_unused(self.store.read(self.lake), self.store.read(self.published))
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
            raise NothingPublished(self.store.root.parent.name)
        with self._reading(self.published, memory) as session:
            yield session

    @contextlib.contextmanager
    def read_latest(self) -> Iterator[Session]:
        """What is committed, read-only, also before it is published, and while another process writes."""
        if not self.lake.exists():
            raise NothingPublished(self.store.root.parent.name)
        with self._reading(self.lake) as session:
            yield session

    def _reading(self, manifest: Path, memory: str = "") -> contextlib.closing[SparkSession]:
        session = SparkSession(connect(self.address), self.store, manifest, read_only=True, memory=memory)
        return contextlib.closing(session)

    def publish_only(self, *names: str) -> None:
        """Publish these tables alone, beside the others as last published: see DuckDBEngine.publish_only."""
        if not self.published.exists():
            return
        with self._alone():
            before, now = self.store.read(self.published), self.store.read(self.lake)
            tables = {**before.tables, **{name: now.tables[name] for name in names if name in now.tables}}
            metadata = {**before.metadata, **{name: now.metadata[name] for name in names if name in now.metadata}}
            self.store.write(self.published, Manifest(tables, metadata))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time; a file beside the lock names its process, for whoever waits in vain."""
        writer = self.store.root / "writer"
        with held(self.store.root / "lock", self.patience) as ours:
            if not ours:
                holder = f"process {writer.read_text()}" if writer.exists() else "another process"
                raise LakeBusyError(self.store.root.parent.name, holder, self.patience)
            writer.write_text(str(os.getpid()))
            yield
