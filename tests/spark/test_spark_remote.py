"""The workbook on a Spark that is not its own: a Connect server, a cluster; both from PySpark's jars, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers.models.table_file import SCHEMAS, read_tables
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
    with running([*command, "spark-internal"], port, tmp_path_factory.mktemp("server")):
        yield f"sc://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def cluster(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster: a master and a worker, each a process of its own."""
    import pyspark

    port, folder = free_port(), tmp_path_factory.mktemp("cluster")
    start = [str(Path(pyspark.__file__).parent / "bin" / "spark-class"), "org.apache.spark.deploy"]
    here = ["--host", "127.0.0.1", "--webui-port", "0", "--port"]
    address, worker = f"spark://127.0.0.1:{port}", free_port()
    with (
        running([start[0], f"{start[1]}.master.Master", *here, str(port)], port, folder),
        running(
            [start[0], f"{start[1]}.worker.Worker", *here, str(worker), "-c", "2", "-d", str(folder), address],
            worker,
            folder,
        ),
    ):
        yield address


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A process of Spark, from when it answers until the end."""
    import pyspark

    log = folder / f"{port}.log"
    environment = {**os.environ, "SPARK_HOME": str(Path(pyspark.__file__).parent), "SPARK_NO_DAEMONIZE": "1"}
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment)
    try:
        deadline = time.monotonic() + 120
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_derived_tables_on_a_cluster_are_those_of_duckdb(cluster: str, tmp_path: Path) -> None:
    compare(cluster, tmp_path, "first")


@pytest.mark.slow
def test_all_stages_give_what_duckdb_gives(server: str, tmp_path: Path) -> None:
    compare(server, tmp_path, "all")
    assert any((tmp_path / "there" / "airline" / "exports").glob("*.csv"))


def compare(address: str, tmp_path: Path, stages: str) -> None:
    """All tables, built there and by DuckDB, each in a process of its own: one has a Connect client or a Spark."""
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    for engine, place in ((address, "there"), ("duckdb", "here")):
        folder = tmp_path / place
        environment = {**os.environ, "CLV_OUTPUTS_DIR": str(folder), "PYTHONPATH": paths}
        command = [sys.executable, str(HERE / "remote_child.py"), engine, str(folder), stages]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
    keys = {each.name: each.key for each in read_tables(*SCHEMAS)}
    built = sorted(keys.keys() & {file.stem for file in (tmp_path / "here").glob("*.pickle")})
    assert len(built) > (80 if stages == "all" else 10)
    for name in built:
        there, here = (
            pd.read_pickle(tmp_path / place / f"{name}.pickle").drop(columns=CLOCK.get(name, []))
            for place in ("there", "here")
        )
        compared(name, keys[name], there, here)


def test_no_server_is_one_sentence() -> None:
    command = "from clv_helpers.engines.spark.connection import connect; connect('sc://127.0.0.1:9')"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert "SparkUnavailable: engine sc://127.0.0.1:9 does not answer" in done.stderr
