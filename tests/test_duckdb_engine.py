"""The lake and its published copy: transactions, readers beside writers, two writers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from clv_helpers.config.sources import Source
from clv_helpers.engines import spill
from clv_helpers.engines.dialect import parse
from clv_helpers.engines.engine import Engine, LakeBusyError, MemoryTooSmall, NothingPublished
from clv_helpers.ingest.readable import readable

HOLD = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


SPILLS = """
import sys
from pathlib import Path
from clv_helpers.engines.dialect import parse
from clv_helpers.engines.engine import Engine
engine = Engine(Path(sys.argv[1], "lake.duckdb"), Path(sys.argv[1], "published.duckdb"), memory="100MB")
numbered = "SELECT m, ROW_NUMBER() OVER (ORDER BY m) AS n FROM derived.t"
with getattr(engine, sys.argv[2])() as session:
    if sys.argv[2] == "write":
        session.create_table("derived.u", parse(numbered))
        numbered = "SELECT * FROM derived.u"
    for _ in range(3):
        found = session.scalar(f"SELECT COUNT(DISTINCT m || n) AS n FROM ({numbered}) AS r")
print(found)
"""
SPILLS_AND_WAITS = """
import sys
import time
from pathlib import Path
from clv_helpers.engines.engine import Engine
engine = Engine(Path(sys.argv[1], "lake.duckdb"), Path(sys.argv[1], "published.duckdb"), memory="50MB")
with engine.read() as session:
    hashes = "SELECT MD5(CAST(value AS TEXT)) AS m FROM RANGE(3000000) AS r(value)"
    session.connection.execute(f"CREATE TEMP TABLE t AS {hashes}")
    print("spilled", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(tmp_path / "lake.duckdb", tmp_path / "published.duckdb", patience=0.5)
    put(engine, 1)
    publish(engine)
    return engine


def put(engine: Engine, value: int, name: str = "derived.t") -> None:
    with engine.write() as session:
        session.create_table(name, parse(f"SELECT {value} AS v"))


def publish(engine: Engine) -> None:
    with engine.write(publish=True):
        pass


def read(engine: Engine, name: str = "derived.t") -> int:
    with engine.read() as session:
        return session.scalar(f"SELECT v FROM {name}")


def test_error_rolls_everything_back(engine: Engine) -> None:
    with pytest.raises(RuntimeError), engine.write() as session:
        session.create_table("derived.t", parse("SELECT 2 AS v"))
        raise RuntimeError("in the middle")
    with engine.write() as session:
        assert session.scalar("SELECT v FROM derived.t") == 1


def test_reader_sees_the_last_published_while_a_writer_writes(engine: Engine) -> None:
    with engine.write() as session:
        session.create_table("derived.t", parse("SELECT 2 AS v"))
        assert read(engine) == 1
    assert read(engine) == 1
    publish(engine)
    assert read(engine) == 2


def test_open_reader_keeps_its_version_through_a_publication(engine: Engine) -> None:
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(c.execute('SELECT v FROM "
        "derived.t').fetchall()[0][0], flush=True); sys.stdin.readline(); print(c.execute('SELECT v FROM derived.t')"
        ".fetchall()[0][0], flush=True)"
    )
    command = [sys.executable, "-c", code, str(engine.published)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline().strip() == "1"
        put(engine, 2)
        publish(engine)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == "1"
    assert read(engine) == 2


def test_publication_follows_tables_that_come_change_and_go(engine: Engine) -> None:
    put(engine, 7, "derived.other")
    publish(engine)
    assert (read(engine), read(engine, "derived.other")) == (1, 7)
    with engine.write() as session:
        session.run("DROP TABLE derived.t")
    put(engine, 8, "derived.other")
    publish(engine)
    with engine.read() as session:
        assert session.tables() == ["derived.other"]
    assert read(engine, "derived.other") == 8


def test_second_writer_is_told_which_process_holds_the_lake(engine: Engine) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(engine.lake), "20"], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(LakeBusyError, match=f"process {holder.pid} is writing"):
            put(engine, 2)
        holder.kill()


def test_second_writer_waits_for_the_first(engine: Engine) -> None:
    engine.patience = 20
    with subprocess.Popen([sys.executable, "-c", HOLD, str(engine.lake), "0.5"], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        put(engine, 3)
    publish(engine)
    assert read(engine) == 3


def test_readers_cannot_reach_files_or_write(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for statement in (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "CREATE TABLE derived.x AS SELECT 1",
        "SET enable_external_access = true",
    ):
        with engine.read() as session, pytest.raises(duckdb.Error):
            session.connection.execute(statement)


def test_frames_come_in_and_tables_and_views_go(engine: Engine) -> None:
    frame = pd.DataFrame({"v": [1, 2], "day": pd.to_datetime(["2024-01-01", None])})
    with engine.write() as session:
        session.load_frame("brought", frame)
        assert session.rows("SELECT v FROM brought WHERE day IS NULL") == [{"v": 2}]
        session.create_view("derived.seen", parse("SELECT v FROM derived.t"), version="m")
        for name in ("derived.seen", "derived.t"):
            session.drop(name)
            assert not session.has_table(name)
    with pytest.raises(duckdb.Error), engine.write() as session:  # of the connection that loaded it alone
        session.rows("SELECT v FROM brought")


def test_nothing_published_yet(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "a" / "lake.duckdb", tmp_path / "a" / "published.duckdb")
    with pytest.raises(NothingPublished, match="run stage 1 first"), engine.read():
        pass


def test_a_stated_memory_is_kept_to_and_the_rest_goes_to_the_disk(tmp_path: Path) -> None:
    """A table that needs more than the limit comes out whole, and readers keep to it as well."""
    engine = Engine(tmp_path / "lake.duckdb", tmp_path / "published.duckdb", memory="200MB")
    rows = 6_000_000  # 12 bytes and more each to sort them
    numbered = f"SELECT value, ROW_NUMBER() OVER (ORDER BY HASH(value)) AS n FROM RANGE({rows}) AS r(value)"
    with engine.write(publish=True) as session:
        session.create_table("derived.t", parse(numbered))
    places = set()
    for opened in (engine.write(), engine.read(), engine.read_latest()):
        with opened as session:
            ask = "SELECT CURRENT_SETTING('memory_limit') AS m, CURRENT_SETTING('temp_directory') AS t"
            [(limit, where)] = session.connection.execute(ask).fetchall()
            assert (limit, Path(where).parent) == ("190.7 MiB", tmp_path)
            places.add(where)
            assert session.scalar("SELECT COUNT(DISTINCT n) FROM derived.t") == rows
    with engine.read(memory="1GB") as session:  # of others: their limit, and nothing on the disk
        [(limit, where)] = session.connection.execute(ask).fetchall()
        assert (limit, where) == ("953.6 MiB", "")
    assert len(places) == 3
    assert not list(tmp_path.glob("spill*"))  # they end with their connections


def test_those_who_spill_at_once_do_not_meet(tmp_path: Path) -> None:
    """Two readers and a writer, each with less memory than it needs."""
    rows = "SELECT value, MD5(CAST(value AS TEXT)) AS m FROM RANGE(1500000) AS r(value)"
    with Engine(tmp_path / "lake.duckdb", tmp_path / "published.duckdb").write(publish=True) as session:
        session.create_table("derived.t", parse(rows))
    command = [sys.executable, "-c", SPILLS, str(tmp_path)]
    running = [
        subprocess.Popen([*command, how], stdout=subprocess.PIPE, text=True) for how in ("read", "read", "write")
    ]
    assert [(each.communicate()[0], each.returncode) for each in running] == [("1500000\n", 0)] * 3
    assert not list(tmp_path.glob("spill*"))


def test_what_a_killed_reader_left_goes_with_the_next_write(engine: Engine) -> None:
    """Those that go on keep theirs; whether a reader on another machine does shows by its last writing."""
    folder = engine.lake.parent
    killed = subprocess.Popen([sys.executable, "-c", SPILLS_AND_WAITS, str(folder)], stdout=subprocess.PIPE)
    assert killed.stdout.readline() == b"spilled\n"
    left = [each.name for each in folder.glob("spill-*")]
    assert len(left) == 1 and list((folder / left[0]).iterdir())
    goes_on = spill.of_a_reader(folder)
    for place, age in ((goes_on, 0), (folder / "spill-1-elsewhere-a", 2), (folder / "spill-1-elsewhere-b", 0)):
        place.mkdir()
        os.utime(place, (time.time() - age * 86_400,) * 2)
    put(engine, 2)
    assert {each.name for each in folder.glob("spill-*")} == {*left, goes_on.name, "spill-1-elsewhere-b"}
    killed.kill()
    killed.wait()
    put(engine, 3)
    assert {each.name for each in folder.glob("spill-*")} == {goes_on.name, "spill-1-elsewhere-b"}


def test_too_little_memory_is_a_sentence_and_no_fault_of_a_file(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "lake.duckdb", tmp_path / "published.duckdb", memory="100MB")
    words = "needs more memory than the 100MB of `memory` in the params"
    with pytest.raises(MemoryTooSmall, match=words), engine.write() as session:
        session.rows("SELECT LIST(REPEAT('x', 100000)) AS l FROM (SELECT UNNEST(RANGE(100000)) AS i) AS r")
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(duckdb.OutOfMemoryException), readable(file, Source(path="rows.csv"), tmp_path):
        raise duckdb.OutOfMemoryException("as DuckDB does in the middle of a file")
