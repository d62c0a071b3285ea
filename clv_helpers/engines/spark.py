"""Spark, for what one machine cannot hold: the lake as folders of Parquet, a local or a remote Spark over it."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from clv_helpers.engines.duckdb import LakeBusyError, NothingPublished
from clv_helpers.engines.session import Session
from clv_helpers.engines.spark_session import SparkSession
from clv_helpers.engines.spark_store import Manifest, Store
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    from pyspark import sql

OLDEST_JAVA = 17
# What every session must have, so that SQL means the same as on DuckDB.
MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
}
# A Spark in this process's own machine: quiet, and reachable from nowhere else.
LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "3g",
    "spark.sql.shuffle.partitions": "4",
    "spark.log.level": "ERROR",
}
_running: dict[str, sql.SparkSession] = {}


class SparkUnavailable(UserError):
    """There is no Spark to run on: its extra, its Java or its server is missing."""


class SparkEngine:
    """The lake and its published state, as two manifests over the same folders. See spark_store."""

    def __init__(self, address: str, folder: Path, patience: float = 30.0):
        self.address, self.store, self.patience = address, Store(folder), patience
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
        """The last published tables, and no others; how much `memory` there is, is Spark's own affair.

        Raises NothingPublished where nothing has been published yet.
        """
        if not self.published.exists():
            raise NothingPublished(f"nothing is published yet in {self.store.root.parent.name}: run stage 1 first")
        spark = connect(self.address)
        with contextlib.closing(SparkSession(spark, self.store, self.published, read_only=True)) as session:
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


def connect(address: str) -> sql.SparkSession:
    """The Spark of this process at an address: spark://local[2], spark://host:7077, or sc://host:15002 (Connect).

    Raises SparkUnavailable, with a line that says what is missing.
    """
    if address not in _running:
        try:
            from pyspark.sql import SparkSession as Spark
        except ImportError:
            raise SparkUnavailable(f"engine {address} needs pyspark: pip install 'clv-helpers[spark]'") from None
        logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # the JVM's stack, beside the exception
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
        try:
            _running[address] = _remote(Spark, address) if address.startswith("sc://") else _own(Spark, address)
        except Exception as error:
            if isinstance(error, UserError):
                raise
            raise SparkUnavailable(f"engine {address} does not answer: {str(error).splitlines()[0]}") from None
    return _running[address]


def _own(spark: Any, address: str) -> sql.SparkSession:
    check_java()
    master = address.removeprefix("spark://")
    local = master.startswith("local")
    builder = spark.builder.appName("clv").master(master if local else address)
    for key, value in (MEANING | LOCAL if local else MEANING).items():
        builder = builder.config(key, value)
    with _quiet():
        return builder.getOrCreate()


def _remote(spark: Any, address: str) -> sql.SparkSession:
    host, _, port = address.removeprefix("sc://").partition(":")
    socket.create_connection((host, int(port)), timeout=10).close()  # Spark's client would try for many minutes
    session = spark.builder.remote(address).getOrCreate()
    for key, value in MEANING.items():
        session.conf.set(key, value)
    return session


def check_java() -> None:
    """Raise SparkUnavailable where neither JAVA_HOME nor the PATH has a Java that Spark can use."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    where = f"JAVA_HOME ({home})" if home else "the PATH"
    if not java:
        raise SparkUnavailable(f"Spark needs Java {OLDEST_JAVA} or later, and there is none in {where}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    if not found or int(found[1]) < OLDEST_JAVA:
        version = found[1] if found else "of an unknown version"
        raise SparkUnavailable(f"Spark needs Java {OLDEST_JAVA} or later, and the one in {where} is {version}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the JVM says as it starts out of a command's output and of notebooks; its errors come as exceptions."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
