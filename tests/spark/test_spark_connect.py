"""The workbook on a Spark Connect server, which the test starts from PySpark's own jars on 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers.lake.tables import SQL_FOLDER, read_tables
from clv_helpers.workbook import Workbook
from parity import CLOCK, compared

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Connect server."""
    import pyspark

    home, port = Path(pyspark.__file__).parent, free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": tmp_path_factory.mktemp("warehouse"),
    }
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]"]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    command += [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [*command, "spark-internal"],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1"},
        )
    try:
        deadline = time.monotonic() + 120
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_derived_tables_are_those_of_duckdb(server: str, airline: Workbook, tmp_path: Path) -> None:
    compare(server, airline, tmp_path, "first", ("derived", "lake"))


@pytest.mark.slow
def test_all_stages_give_what_duckdb_gives(server: str, airline: Workbook, tmp_path: Path) -> None:
    compare(server, airline, tmp_path, "all", tuple(folder.name for folder in SQL_FOLDER.iterdir()))
    assert any((tmp_path / "outputs" / "airline" / "exports").glob("*.csv"))


def compare(server: str, airline: Workbook, tmp_path: Path, stages: str, schemas: tuple[str, ...]) -> None:
    """In a process of its own: one process has either a Connect client or a Spark of its own."""
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = {**os.environ, "CLV_OUTPUTS_DIR": str(tmp_path / "outputs"), "PYTHONPATH": paths}
    command = [sys.executable, str(HERE / "connect_child.py"), server, str(tmp_path), stages]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    with airline.engine.read() as session:
        for each in read_tables(*schemas):
            found = pd.read_pickle(tmp_path / f"{each.name}.pickle").drop(columns=CLOCK.get(each.name, []))
            expected = session.frame(f"SELECT * FROM {each.name}").drop(columns=CLOCK.get(each.name, []))
            compared(each.name, each.key, found, expected)


def test_no_server_is_one_sentence() -> None:
    command = "from clv_helpers.engines.spark import connect; connect('sc://127.0.0.1:9')"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert "SparkUnavailable: engine sc://127.0.0.1:9 does not answer" in done.stderr
