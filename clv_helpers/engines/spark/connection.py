"""The Spark of this process: found or started, asked to stop what it does, with its Java looked for first."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
# On a cluster, a task that does not heed its end goes with its executor, which the cluster then starts anew.
CLUSTER = {"spark.task.reaper.enabled": "true", "spark.task.reaper.killTimeout": "10s"}
HEEDED_WITHIN = 3.0  # seconds; a nested loop over two tables heeds nothing
WORKER = "Executor task launch worker"
_running: dict[str, sql.SparkSession] = {}
_starting = threading.RLock()  # one thread at a time starts a Spark, or ends it
_started: list[sql.SparkSession] = []  # those whose JVM is a child of this process, begun here


class SparkUnavailable(UserError):
    """There is no Spark to run on: its extra, its Java or its server is missing."""


def errors_of_spark(address: str) -> tuple[type[Exception], ...]:
    """What PySpark raises for a statement that fails or was stopped. Raises SparkUnavailable where it is missing."""
    try:
        from py4j.protocol import Py4JError  # type: ignore[import-untyped]
        from pyspark.errors import PySparkException
    except ImportError:
        raise SparkUnavailable(f"engine {address} needs pyspark: pip install 'clv-helpers[spark]'") from None
    return (PySparkException, Py4JError, ConnectionError)


def connect(address: str) -> sql.SparkSession:
    """The Spark of this process at an address: spark://local[2], spark://host:7077, or sc://host:15002 (Connect).

    Another one, where its JVM has died, as of too little memory. Raises SparkUnavailable, with a line that says what
    is missing.
    """
    with _starting:
        return _connected(address)


def _connected(address: str) -> sql.SparkSession:
    known = _running.get(address)
    if known and _has_died(known):
        _kill(known)
    elif known and _was_stopped(known):
        _forget(known)
    if address not in _running:
        from pyspark.sql import SparkSession as Spark

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
    for key, value in (MEANING | (LOCAL if local else CLUSTER)).items():
        builder = builder.config(key, value)
    from pyspark import SparkContext

    ours = SparkContext._active_spark_context is None and "PYSPARK_GATEWAY_PORT" not in os.environ
    with _quiet():
        session = builder.getOrCreate()
    if ours:
        _started.append(session)
    return session


def _remote(spark: Any, address: str) -> sql.SparkSession:
    host, _, port = address.removeprefix("sc://").partition(":")
    socket.create_connection((host, int(port)), timeout=10).close()  # Spark's client would try for many minutes
    session = spark.builder.remote(address).getOrCreate()
    for key, value in MEANING.items():
        session.conf.set(key, value)
    return session


def halt(spark: sql.SparkSession) -> None:
    """Stop what runs in this process's Spark: in its own machine with the JVM, where a task does not heed it.

    Then whatever else this process does there ends with an error, and the next `connect` starts another.
    """
    if _has_died(spark):
        return
    spark.interruptAll()
    if spark not in _started:
        return  # a Connect server, or a Spark that was here before us: not ours to kill
    context, deadline = spark.sparkContext, time.monotonic() + HEEDED_WITHIN
    while str(context.master).startswith("local") and _has_busy_workers(context):
        if time.monotonic() > deadline:
            with _starting:
                _kill(spark)
            return
        time.sleep(0.1)


def _has_busy_workers(context: Any) -> bool:
    """Whether a thread of tasks computes: Spark itself takes a stopped task for ended at once."""
    threads = context._jvm.java.lang.Thread.getAllStackTraces().keySet()
    return any(thread.getName().startswith(WORKER) and str(thread.getState()) == "RUNNABLE" for thread in threads)


def _has_died(spark: sql.SparkSession) -> bool:
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    return spark in _started and gateway is not None and gateway.proc.poll() is not None


def _was_stopped(spark: sql.SparkSession) -> bool:
    """Whether somebody has stopped it: a notebook's own cell may. Its JVM is then perhaps somebody else's, too."""
    return spark in _started and spark.sparkContext._jsc is None


def _forget(spark: sql.SparkSession) -> None:
    for address in [address for address, known in _running.items() if known is spark]:
        del _running[address]
    _started.remove(spark)


def _kill(spark: sql.SparkSession) -> None:
    from pyspark import SparkContext

    _forget(spark)
    gateway: Any = SparkContext._gateway  # it is there as long as a session is
    try:
        with contextlib.suppress(*errors_of_spark("")):  # of a JVM that is gone
            spark.stop()
        spark.sparkContext.stop()  # the second time it asks the JVM nothing, and forgets it
        gateway.shutdown()
    finally:
        SparkContext._gateway = SparkContext._jvm = None
        gateway.proc.kill()
        gateway.proc.wait()


def check_java() -> None:
    """Raise SparkUnavailable where neither JAVA_HOME nor the PATH has a Java that Spark can use."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    where = f"JAVA_HOME ({home})" if home else "the PATH"
    if not java:
        raise SparkUnavailable(f"Spark needs Java {OLDEST_JAVA} or later, and there is none in {where}")
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', output)
    if not match or int(match[1]) < OLDEST_JAVA:
        version = match[1] if match else "of an unknown version"
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
