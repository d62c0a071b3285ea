"""Kills every command that writes at random moments, lets it run again, and says what was lost: docs/reliability.md.

    python tests/soak.py [--kills 100] [--only ingest,run]

With all of its points it writes the page anew; with `--only` it prints the rows alone.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pandas as pd
from people import built, tables_of, write_people
from test_stream import PARAMS, Server, event

from clv_helpers import ingest
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.errors import UserError
from clv_helpers.run.refresh_all import refresh_all

CLV = str(Path(sys.executable).with_name("clv"))
PAGE = ROOT / "docs" / "reliability.md"
TRIES = 5  # of the command after the kill, until it succeeds


@dataclass
class Outcome:
    """What the kills of one command came to."""

    command: str
    kills: int = 0
    running: int = 0
    most_tries: int = 1
    unreadable: int = 0
    lost: int = 0
    doubled: int = 0

    def row(self) -> str:
        numbers = (self.kills, self.running, self.unreadable, self.most_tries, self.lost, self.doubled)
        return f"| {self.command} | {' | '.join(map(str, numbers))} |"


class Point:
    """A command from a prepared state of a workbook: killed, run again, and compared with a run in peace."""

    command: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path):
        self.folder, self.start = folder, folder / "start"
        self.params = self.prepare()
        self.start.mkdir(exist_ok=True)
        self.at(folder / "peace")
        started = time.perf_counter()
        self.run()
        self.seconds = time.perf_counter() - started
        self.expected = self.state()

    def prepare(self) -> Path:
        """Write the data, and under `start` the outputs that the command begins with."""
        raise NotImplementedError

    def state(self) -> Counter[Any]:
        """Rows that must be there after the command, each with its table."""
        return rows_of(tables_of(Workbook.open(self.params)))

    def at(self, place: Path) -> None:
        """Begin anew, in a folder of outputs."""
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.start, place)
        os.environ["CLV_OUTPUTS_DIR"] = str(place)

    def run(self, kill_after: float | None = None) -> tuple[int, str]:
        """Its exit code, and what it said."""
        command = [CLV, self.arguments[0], str(self.params), *self.arguments[1:]]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            return process.wait(kill_after), process.communicate()[1]
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return process.wait(), ""

    def readable(self) -> bool:
        """Whether what was published last can be read, where anything was."""
        try:
            with Workbook.open(self.params).engine.read() as session:
                return bool(session.tables())
        except NothingPublished:
            return True
        except (UserError, duckdb.Error):
            return False

    def trial(self, chance: random.Random, outcome: Outcome) -> None:
        self.at(self.folder / "trial")
        code, _ = self.run(kill_after=chance.uniform(0.15, 1) * self.seconds)
        outcome.kills += 1
        outcome.running += code == -signal.SIGKILL
        outcome.unreadable += not self.readable()
        outcome.most_tries = max(outcome.most_tries, self.finish())
        found = self.state()
        outcome.lost += (self.expected - found).total()
        outcome.doubled += (found - self.expected).total()

    def finish(self) -> int:
        """Run it again until it succeeds; gives how often."""
        for tries in range(1, TRIES + 1):
            code, said = self.run()
            if code == 0:
                return tries
            time.sleep(1)
        raise SystemExit(f"{self.command} does not recover: {said}")


def rows_of(tables: dict[str, pd.DataFrame]) -> Counter[Any]:
    """Rows as text with their table. A killed batch stands in derived.not_counted as a file that failed."""
    return Counter(
        (name, *map(str, row))
        for name, frame in tables.items()
        for row in frame.itertuples(index=False)
        if not (name == "derived.not_counted" and "the whole file" in str(row))
    )


class Ingest(Point):
    command, arguments = "clv ingest", ("ingest",)

    def prepare(self) -> Path:
        return write_people(self.folder / "data")

    def state(self) -> Counter[Any]:
        refresh_all(Workbook.open(self.params))
        return super().state()


class Refresh(Point):
    command, arguments = "clv refresh", ("refresh",)

    def prepare(self) -> Path:
        params = write_people(self.folder / "data")
        os.environ["CLV_OUTPUTS_DIR"] = str(self.start)
        workbook = Workbook.open(params)
        first, second = workbook.source_files("purchases")
        for dataset in ("customers", "email_events"):
            ingest.ingest_files(workbook, dataset, workbook.source_files(dataset))
        ingest.ingest_files(workbook, "purchases", [first])
        refresh_all(workbook)
        ingest.ingest_files(workbook, "purchases", [second])
        return params


class Run(Point):
    command, arguments = "clv run", ("run",)

    def prepare(self) -> Path:
        return write_people(self.folder / "data")

    def state(self) -> Counter[Any]:
        reports = list(Workbook.open(self.params).folder.glob("runs/*/report.html"))
        assert any(report.read_text("utf-8").rstrip().endswith("</html>") for report in reports)
        return super().state()


class Activate(Point):
    command, arguments = "clv activate", ("activate", "spring", "--confirm")

    def prepare(self) -> Path:
        params = write_people(self.folder / "data")
        os.environ["CLV_OUTPUTS_DIR"] = str(self.start)
        built(params, activates=False)
        return params

    def state(self) -> Counter[Any]:
        exported = Workbook.open(self.params).folder / "exports"
        return Counter(line for file in exported.rglob("*.csv") for line in file.read_text("utf-8").splitlines()[1:])


class Pull(Point):
    command, arguments = "clv ingest from a database", ("ingest",)

    def prepare(self) -> Path:
        data = self.folder / "data"
        write_people(data)
        with contextlib.closing(sqlite3.connect(data / "shop.db")) as connection:
            for file in sorted(data.glob("events_*.csv")):
                rows = pd.read_csv(file, names=["event_id", "customer_id", "occurred_at", "amount", "category"],
                                   header=0, on_bad_lines="skip")  # fmt: skip
                rows.to_sql("orders", connection, if_exists="append", index=False)
        params = data / "shop.yml"
        params.write_text(
            "title: A shop in a database\nas_of: 2025-01-10\ncategory: category\nsources:\n  purchases:\n"
            f"    from: {{database: 'sqlite:///{data / 'shop.db'}', table: orders, cursor: occurred_at}}\n"
        )
        return params

    def state(self) -> Counter[Any]:
        refresh_all(Workbook.open(self.params))
        return super().state()


class Stream(Point):
    command, arguments = "clv stream", ("stream",)

    def prepare(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "flow.yml").write_text(PARAMS)
        return self.folder / "flow.yml"

    def run(self, kill_after: float | None = None) -> tuple[int, str]:
        """Post until it is killed, or all; the expected rows are those that were acknowledged."""
        self.acknowledged = set[str]()
        server, begun = Server(self.params, "--every=0.05").wait(), time.monotonic()
        try:
            for number in range(60):
                server.post(sent := event(number))
                self.acknowledged.add(sent["id"])
                if kill_after is not None and time.monotonic() - begun > kill_after:
                    return -signal.SIGKILL, ""
                time.sleep(0.02)
            server.stop()
            return 0, ""
        finally:
            server.process.kill()
            server.process.wait()

    def trial(self, chance: random.Random, outcome: Outcome) -> None:
        self.at(self.folder / "trial")
        code, _ = self.run(kill_after=chance.uniform(0, 1) * 2)
        outcome.kills += 1
        outcome.running += code == -signal.SIGKILL
        outcome.unreadable += not self.readable()
        expected = Counter(self.acknowledged)
        server = Server(self.params, "--every=0.05").wait()
        time.sleep(0.3)
        server.stop()
        found = self.state()
        outcome.lost += (expected - found).total()
        outcome.doubled += (found - expected).total()

    def state(self) -> Counter[Any]:
        with Workbook.open(self.params).engine.write() as session:
            return Counter(row["event_id"] for row in session.rows("SELECT event_id FROM lake.purchases"))


POINTS: dict[str, Callable[[Path], Point]] = {
    "ingest": Ingest, "refresh": Refresh, "run": Run, "activate": Activate, "stream": Stream, "pull": Pull,
}  # fmt: skip
ABOUT = """\
# What a kill at any moment leaves

Made by `make soak` on {day}: each command was killed (SIGKILL, with all its processes) at {kills} random
moments of its time, and then run again as it was. The tables, and what was handed over, are compared with those of a
run in peace, row by row.

| command | kills | while it ran | last state not readable | most runs until whole | rows lost | rows doubled |
|---|---:|---:|---:|---:|---:|---:|
"""


def soaked(name: str, kills: int, folder: Path) -> Outcome:
    """Kill one command so many times."""
    point, chance = POINTS[name](folder / name), random.Random(f"{name} {kills}")
    outcome = Outcome(f"`{point.command}`")
    for _ in range(kills):
        point.trial(chance, outcome)
    print(outcome.row(), flush=True)
    return outcome


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--only", default="", help=f"of {', '.join(POINTS)}")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    names = given.only.split(",") if given.only else list(POINTS)
    with tempfile.TemporaryDirectory(prefix="clv_soak_") as folder:
        outcomes = [soaked(name, given.kills, Path(folder)) for name in names]
    if not given.only:
        head = ABOUT.format(day=f"{dt.date.today():%-d %B %Y}", kills=given.kills)
        PAGE.write_text(head + "".join(f"{outcome.row()}\n" for outcome in outcomes))
    return 1 if any(each.lost or each.doubled or each.unreadable for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
