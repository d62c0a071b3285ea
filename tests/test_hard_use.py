"""What weeks bring: full disks, files that change, two at once, wrong clocks. One sentence, and the next run whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from people import built, tables_of, write_people

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import LAYOUT, LakeOfAnotherVersion
from clv_helpers.files import write_parquet
from clv_helpers.run.refresh_all import refresh_all
from conftest import SHOP_CSV, absent, often, write_shop

CLV = str(Path(sys.executable).with_name("clv"))
ROOM = 400_000_000
FREE = [0, 20_000, 300_000, 3_000_000, 12_000_000, 25_000_000]  # bytes that are left: each ends somewhere else


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of this test's own."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", place], check=False).returncode:
        absent("this system lets nobody mount a small disk (mount -t tmpfs)")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def clv(*words: str | Path, seconds: float = 200) -> tuple[int, str]:
    """The exit status of a command, and what it said."""
    done = subprocess.run([CLV, *map(str, words)], capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr


def is_sentence(said: str) -> bool:
    return bool(said.strip()) and "Traceback" not in said and "Error:" not in said


@contextlib.contextmanager
def nearly_full(disk: Path, free: int) -> Iterator[None]:
    """A disk with so many bytes left, for a while."""
    filler, found = disk / "filler", os.statvfs(disk)
    with contextlib.suppress(OSError), filler.open("wb") as stream:
        stream.write(bytes(max(0, found.f_bavail * found.f_frsize - free)))
    yield
    filler.unlink()


def is_readable(params: Path) -> bool:
    with Workbook.open(params).engine.read() as session:
        return session.scalar("SELECT COUNT(*) AS n FROM profile.customer") > 0


@pytest.fixture
def week(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The params of a shop on a small disk: its first file is in its published tables, its second waits."""
    params = write_people(disk / "data")
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(disk / "outputs"))
    workbook = Workbook.open(params)
    first, _ = workbook.source_files("purchases")
    for dataset in ("customers", "email_events"):
        ingest.ingest_files(workbook, dataset, workbook.source_files(dataset))
    ingest.ingest_files(workbook, "purchases", [first])
    refresh_all(workbook)
    return params


def in_peace(params: Path, folder: Path, *commands: str) -> dict[str, pd.DataFrame]:
    """The tables after commands that nothing disturbs, on a copy of the outputs."""
    place = Path(os.environ["CLV_OUTPUTS_DIR"])
    shutil.copytree(place, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder))
        for command in commands:
            assert clv(command, params)[0] == 0
        return compared(params)


def compared(params: Path) -> dict[str, pd.DataFrame]:
    """The tables, without what tells of attempts that failed."""
    found = tables_of(Workbook.open(params))
    if "derived.not_counted" in found:
        rows = found["derived.not_counted"]
        found["derived.not_counted"] = rows[["the whole file" not in str(row) for row in rows.itertuples()]]
    return found


def assert_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name, frame in expected.items():
        # a file that failed left a row without a count: whole numbers that can lack
        pair = [rows.reset_index(drop=True) for rows in (found[name], frame)]
        pd.testing.assert_frame_equal(*pair, obj=name, rtol=1e-9, check_dtype=False)


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_wherever_it_ends(week: Path, disk: Path, tmp_path: Path) -> None:
    """In ingest, refresh and publication: what was published is read meanwhile, and the next run is whole."""
    expected = in_peace(week, tmp_path / "peace", "ingest", "refresh")
    refused = 0
    for free in FREE[: often(6, 4)]:
        with nearly_full(disk, free):
            for command in ("ingest", "refresh"):
                status, said = clv(command, week)
                refused += status == 1
                assert is_sentence(said), said
                assert is_readable(week)
                assert not list(disk.rglob("published.part*"))
    assert refused > 3
    assert clv("ingest", week)[0] == clv("refresh", week)[0] == 0
    assert_same(compared(week), expected)


@pytest.mark.slow
def test_a_run_and_a_report_without_room_say_so_and_go_on_once_there_is_some(week: Path, disk: Path) -> None:
    for free in (0, 40_000):
        with nearly_full(disk, free):
            status, said = clv("run", week)
            assert (status, is_sentence(said)) == (1, True), said
            assert "No space left on device" in said or "by half" in said
            assert is_readable(week)
    status, said = clv("run", week)
    assert status == 0, said
    [report] = disk.glob("outputs/*/runs/*/report.html")
    before = report.read_bytes()
    with nearly_full(disk, 0):
        status, said = clv("report", week)
    assert (status, is_sentence(said)) == (1, True), said
    assert "No space left on device" in said
    assert report.read_bytes() == before
    assert not list(disk.rglob("*.part"))
    assert clv("report", week)[0] == 0


def test_a_parquet_file_without_room_is_told_by_its_name_and_leaves_nothing(disk: Path) -> None:
    file = disk / "sales.parquet"
    with nearly_full(disk, 0), pytest.raises(OSError, match="No space left on device") as caught:
        write_parquet(pd.DataFrame({"amount": range(50_000)}), file)
    assert caught.value.filename == str(file)
    assert list(disk.iterdir()) == []
    write_parquet(pd.DataFrame({"amount": range(50_000)}), file)
    assert len(pd.read_parquet(file)) == 50_000


@pytest.fixture
def campaign(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The params of a shop on a small disk that may hand over: nothing has gone yet."""
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(disk / "outputs"))
    params = write_people(disk / "data")
    built(params, activates=False)
    return params


def handed_over(params: Path) -> list[str]:
    """The lines of all files that were handed over."""
    exported = Workbook.open(params).folder / "exports"
    return sorted(line for file in exported.rglob("*.csv") for line in file.read_text("utf-8").splitlines()[1:])


@pytest.mark.slow
def test_a_full_disk_in_activate_hands_over_all_or_nothing_and_each_once(campaign: Path, disk: Path) -> None:
    """And in the same command after it failed: what is handed over is what a run in peace hands over."""
    with Workbook.open(campaign).engine.read() as session:
        wanted = session.scalar("SELECT COUNT(*) AS n FROM activation.eligible")
    refused = 0
    for free in (0, 0, 3_000_000)[: often(3, 2)]:  # and again while it is still full
        with nearly_full(disk, free):
            status, said = clv("activate", campaign, "spring", "--confirm")
            refused += status == 1
            assert is_sentence(said), said
            assert is_readable(campaign)
    assert refused >= 2
    status, said = clv("activate", campaign, "spring", "--confirm")
    assert status == 0, said
    lines = handed_over(campaign)
    assert len(lines) == len(set(lines)) == wanted > 20
    assert clv("activate", campaign, "spring", "--confirm")[0] == 0
    assert handed_over(campaign) == lines
    assert not list(disk.rglob("*.part"))


@pytest.mark.slow
def test_a_full_disk_in_a_replay_keeps_the_batch_as_it_was(week: Path, disk: Path) -> None:
    workbook = Workbook.open(week)
    file, before, refused = workbook.source_files("purchases")[0], in_lake(workbook), 0

    def replay() -> tuple[int, str]:
        known = [batch for batch in ingest.batches(workbook) if batch.dataset == "purchases"]
        number = next(batch.batch_id for batch in known if batch.status == "success")
        return clv("replay", week, str(number), file)

    for free in (0, 400_000):
        with nearly_full(disk, free):
            status, said = replay()
            refused += status == 1
            assert is_sentence(said), said
            assert is_readable(week)
            assert in_lake(workbook) == before
    assert refused
    assert replay()[0] == 0
    assert in_lake(workbook) == before


def in_lake(workbook: Workbook) -> list[tuple[str, ...]]:
    with workbook.engine.write() as session:
        rows = session.rows("SELECT event_id, customer_id, occurred_at, amount FROM lake.purchases")
    return sorted(tuple(map(str, row.values())) for row in rows)


# -- what the files and the clock do


GROWN = SHOP_CSV + "".join(f"d{number},2024-02-{number % 28 + 1:02d},{number % 90}.5\n" for number in range(60_000))


def test_a_file_that_changes_while_it_is_read_comes_in_whole_or_not_at_all(tmp_path: Path, outputs: Path) -> None:
    """Another process appends to it: the rows that are in are those of a batch whose file is known by its sum."""
    params = write_shop(tmp_path, csv=GROWN)
    file, told, ends = tmp_path / "purchases.csv", [], threading.Event()

    def append() -> None:
        while not ends.wait(0.002):
            with file.open("a", encoding="utf-8") as stream:
                stream.write("late,2024-03-01,1.00\n")

    writer = threading.Thread(target=append)
    writer.start()
    try:
        told.append(clv("ingest", params))
    finally:
        ends.set()
        writer.join()
    [(status, said)] = told
    assert status == 0 or is_sentence(said), said
    workbook = Workbook.open(params)
    with workbook.engine.write() as session:
        there = session.has_table("lake.purchases")
        rows = session.scalar("SELECT COUNT(*) AS n FROM lake.purchases") if there else 0
        whole = session.rows(
            "SELECT rows_read, rows_accepted, rows_rejected FROM lake.batches WHERE status = 'success'"
        )
    assert rows == sum(batch["rows_accepted"] for batch in whole)
    assert all(batch["rows_read"] == batch["rows_accepted"] + batch["rows_rejected"] for batch in whole)
    if whole:  # the same name with other rows is refused, with the way out
        status, said = clv("ingest", params)
        assert (status, is_sentence(said), "clv replay" in said) == (1, True, True), said
    else:
        assert clv("ingest", params)[0] == 0


@pytest.mark.slow
def test_two_runs_and_a_tick_at_once_each_end_and_leave_one_whole_state(week: Path, tmp_path: Path) -> None:
    expected = in_peace(week, tmp_path / "peace", "ingest", "refresh")
    week.write_text(week.read_text("utf-8") + 'schedule: {cron: "0 6 * * *"}\n', "utf-8")
    commands = [["ingest", week], ["refresh", week], ["schedule", week, "tick"], ["refresh", week]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = [subprocess.Popen([CLV, *map(str, words)], **pipes) for words in commands]
    for words, process in zip(commands, running, strict=True):
        said = process.communicate(timeout=300)[0]
        assert process.returncode == 0 or is_sentence(said), (words, said)
    assert clv("ingest", week)[0] == clv("refresh", week)[0] == 0
    found = compared(week)
    assert_same({name: found[name] for name in expected if not name.startswith("schedule.")}, expected)


@pytest.mark.slow
@pytest.mark.skipif(often(0, 1) == 1, reason="two whole runs take more than a minute: make soak tries them")
def test_two_runs_of_all_stages_at_once_end_whole_or_in_a_sentence(tmp_path: Path, outputs: Path) -> None:
    """Each that succeeds has its own report, whole; what is published is read, and the next refresh changes nothing."""
    params = write_people(tmp_path / "data")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = [subprocess.Popen([CLV, "run", str(params)], **pipes) for _ in range(2)]
    said = [process.communicate(timeout=580)[0] for process in running]
    for process, words in zip(running, said, strict=True):
        assert process.returncode == 0 or is_sentence(words), words
    assert is_readable(params)
    statuses = [process.returncode for process in running]
    assert 0 in statuses, said
    reports = list(Workbook.open(params).folder.glob("runs/*/report.html"))
    assert len(reports) >= statuses.count(0)
    assert all(report.read_text("utf-8").rstrip().endswith("</html>") for report in reports)
    before = compared(params)
    assert clv("ingest", params)[0] == clv("refresh", params)[0] == 0
    assert_same(compared(params), before)


def test_a_clock_that_goes_back_and_forth_ends_where_it_began(shop: Workbook) -> None:
    """An as_of far before and far after, and then the day again: the tables are those of the first time."""
    expected = tables_of(shop)
    for day in ("2024-01-15", "2029-01-01"):
        models.refresh(Workbook.open(shop.file, day), "derived", "profile")
    models.refresh(Workbook.open(shop.file), "derived", "profile")
    found = tables_of(Workbook.open(shop.file))
    names = [name for name in expected if name.split(".")[0] in ("derived", "profile")]
    assert names
    assert_same({name: found[name] for name in names}, {name: expected[name] for name in names})


# -- lakes of other versions


def test_a_lake_of_a_newer_version_is_refused_by_name_and_stays_as_it_is(shop: Workbook) -> None:
    with duckdb.connect(str(shop.engine.lake)) as connection:
        connection.execute(f"CREATE OR REPLACE MACRO main.layout() AS {LAYOUT + 1}")
    before = shop.engine.lake.read_bytes()
    with pytest.raises(LakeOfAnotherVersion, match=rf"a newer version .*layout {LAYOUT + 1}, this version reads"):
        refresh_all(shop)
    assert shop.engine.lake.read_bytes() == before
    assert is_readable(shop.file)


def test_a_lake_of_before_customers_were_called_so_is_refused_by_name(shop: Workbook) -> None:
    with duckdb.connect(str(shop.engine.lake)) as connection:
        connection.execute("DROP MACRO main.layout")
        connection.execute("CREATE TABLE lake.lake.loyalty_events (membership_number VARCHAR)")
    with pytest.raises(LakeOfAnotherVersion, match="an older version .* move it away and bring the files in anew"):
        ingest.ingest_files(shop)


def test_a_lake_of_before_lakes_were_marked_goes_on(shop: Workbook) -> None:
    with duckdb.connect(str(shop.engine.lake)) as connection:
        connection.execute("DROP MACRO main.layout")
    refresh_all(shop)
    with shop.engine.write() as session:
        assert session.scalar("SELECT store.main.layout() AS n") == LAYOUT
