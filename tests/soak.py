"""Kills every command that writes at random moments, lets it run again, and says what was lost: docs/reliability.md.

    python tests/soak.py [--kills 100] [--minutes 60] [--only ingest,run]

With all of its points it writes the page anew; with `--only` it prints the rows alone. The minutes are shared out: what
one command leaves of its share goes to those after it, and `clv run`, which takes longest, comes last.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pandas as pd
from forking import Child, answer, clv
from people import RECORDS, UNCOMPARED, built, tables_of, write_people
from test_stream import PARAMS, Server, event

from clv_helpers import ingest
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.errors import UserError
from clv_helpers.models.plan import all_tables
from clv_helpers.run.refresh_all import refresh_all

PAGE = ROOT / "docs" / "reliability.md"
CUSTOMERS = 40
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
    """A command from a prepared state of a workbook: killed, run again, and compared with a run in peace.

    The process of the test opens no engine and holds no thread: what does is forked from it.
    """

    command: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]
    params_name: ClassVar[str] = "people.yml"

    def __init__(self, folder: Path):
        self.folder, self.start = folder, folder / "start"
        self.params = folder / "data" / self.params_name
        self.start.mkdir(parents=True)
        os.environ["CLV_OUTPUTS_DIR"] = str(self.start)
        answer(self.prepare)
        all_tables(Workbook.open(self.params))  # read once here, and not in every fork
        self.at(folder / "peace")
        started = time.perf_counter()
        code, said = self.run()
        self.seconds = time.perf_counter() - started
        if code:
            raise SystemExit(f"{self.command} fails with nothing in its way: {said}")
        self.expected = answer(self.state)
        if not self.expected:
            raise SystemExit(f"{self.command} leaves nothing that could be compared")
        self.run()
        self.again = answer(self.state)  # what was killed with its work done has done it twice

    def prepare(self) -> None:
        """Write the data, and under `start` the outputs that the command begins with."""
        write_people(self.folder / "data", customers=CUSTOMERS)

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
        words = (self.arguments[0], str(self.params), *self.arguments[1:])
        child = Child(lambda: clv(*words), self.folder / "said.txt")
        return child.wait(kill_after), child.said()

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
        code, _ = self.run(kill_after=chance.uniform(0, 1) * self.seconds)
        outcome.kills += 1
        outcome.running += code == -signal.SIGKILL
        outcome.unreadable += not answer(self.readable)
        outcome.most_tries = max(outcome.most_tries, self.finish())
        self.compare(outcome, self.expected & self.again, self.expected | self.again)

    def compare(self, outcome: Outcome, least: Counter[Any], most: Counter[Any]) -> None:
        """Count rows that must be there and are not, and rows beyond those that may be."""
        found = answer(self.state)
        lost, doubled = least - found, found - most
        outcome.lost += lost.total()
        outcome.doubled += doubled.total()
        for kind, rows in (("lost", lost), ("doubled", doubled)):
            if rows:
                print(f"{self.command}, kill {outcome.kills}: {kind}, such as {next(iter(rows))}", file=sys.stderr)

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


def lake_of(workbook: Workbook) -> dict[str, pd.DataFrame]:
    """The rows that came in, and those that were set aside: what every table is computed from."""
    with workbook.engine.write() as session:
        names = [name for name in session.tables() if name.startswith("lake.") and name not in RECORDS]
        frames = {name: session.frame(f"SELECT * FROM {name}") for name in names}
    return {name: frame.drop(columns=[*UNCOMPARED & set(frame)]) for name, frame in frames.items()}


class Ingest(Point):
    command, arguments = "clv ingest", ("ingest",)

    def state(self) -> Counter[Any]:
        return rows_of(lake_of(Workbook.open(self.params)))


class Refresh(Point):
    command, arguments = "clv refresh", ("refresh",)

    def prepare(self) -> None:
        workbook = Workbook.open(write_people(self.folder / "data", customers=CUSTOMERS))
        first, second = workbook.source_files("purchases")
        for dataset in ("customers", "email_events"):
            ingest.ingest_files(workbook, dataset, workbook.source_files(dataset))
        ingest.ingest_files(workbook, "purchases", [first])
        refresh_all(workbook)
        ingest.ingest_files(workbook, "purchases", [second])


class Run(Point):
    command, arguments = "clv run", ("run",)

    def state(self) -> Counter[Any]:
        reports = list(Workbook.open(self.params).folder.glob("runs/*/report.html"))
        assert any(report.read_text("utf-8").rstrip().endswith("</html>") for report in reports)
        return super().state()


class Activate(Point):
    command, arguments = "clv activate", ("activate", "spring", "--confirm")

    def prepare(self) -> None:
        built(write_people(self.folder / "data", customers=CUSTOMERS), activates=False)

    def state(self) -> Counter[Any]:
        exported = Workbook.open(self.params).folder / "exports"
        return Counter(line for file in exported.rglob("*.csv") for line in file.read_text("utf-8").splitlines()[1:])


class Pull(Point):
    """The second pull: it steps back by the overlap, and knows what it has met."""

    command, arguments, params_name = "clv ingest from a database", ("ingest",), "shop.yml"

    def prepare(self) -> None:
        data = self.folder / "data"
        write_people(data, customers=CUSTOMERS)
        self.params.write_text(
            "title: A shop in a database\nas_of: 2025-01-10\ncategory: category\nsources:\n  purchases:\n    from: "
            f"{{database: 'sqlite:///{data / 'shop.db'}', table: orders, cursor: occurred_at, overlap: 20 days}}\n"
        )
        first, second = sorted(data.glob("events_*.csv"))
        self._add(first)
        ingest.ingest_files(Workbook.open(self.params))
        self._add(second)

    def _add(self, file: Path) -> None:
        header = ["event_id", "customer_id", "occurred_at", "amount", "category"]
        rows = pd.read_csv(file, names=header, header=0, on_bad_lines="skip")
        with contextlib.closing(sqlite3.connect(self.params.with_name("shop.db"))) as connection:
            rows[rows["occurred_at"] != "never"].to_sql("orders", connection, if_exists="append", index=False)

    def state(self) -> Counter[Any]:
        return rows_of(lake_of(Workbook.open(self.params)))


class Flow(Server):
    """`clv stream` as a fork of this process."""

    def __init__(self, params: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = ("stream", str(params), f"--port={self.port}", "--every=0.05")
        self.process: Any = Child(lambda: clv(*words), params.with_name("said.txt"))

    def said(self) -> str:
        return self.process.said()


class Stream(Point):
    """Posts until it is killed. What was acknowledged must be there; what was sent without an answer may be."""

    command, arguments, params_name = "clv stream", ("stream",), "flow.yml"
    SECONDS: ClassVar = 2.0  # within which it is killed

    def prepare(self) -> None:
        self.params.parent.mkdir(parents=True)
        self.params.write_text(PARAMS)

    def run(self, kill_after: float | None = None) -> tuple[int, str]:
        self.sent, self.acknowledged = set[str](), set[str]()
        server = Flow(self.params).wait()
        killer = threading.Timer(kill_after or 300, server.process.kill)
        killer.start()
        with contextlib.suppress(OSError, http.client.HTTPException):  # it was killed
            for number in range(5 if kill_after is None else 10_000):
                sent = event(number)
                self.sent.add(sent["id"])
                if server.post(sent)[0] == 200:
                    self.acknowledged.add(sent["id"])
                time.sleep(0.02)
            server.stop()
        killer.cancel()
        killer.join()
        return server.process.wait(60), server.said()

    def trial(self, chance: random.Random, outcome: Outcome) -> None:
        self.at(self.folder / "trial")
        code, _ = self.run(kill_after=chance.uniform(0, self.SECONDS))
        outcome.kills += 1
        outcome.running += code == -signal.SIGKILL
        outcome.unreadable += not answer(self.readable)
        server = Flow(self.params).wait()
        server.stop()
        self.compare(outcome, Counter(self.acknowledged), Counter(self.sent))

    def state(self) -> Counter[Any]:
        with Workbook.open(self.params).engine.write() as session:
            if not session.has_table("lake.purchases"):  # killed before the first batch
                return Counter()
            return Counter(row["event_id"] for row in session.rows("SELECT event_id FROM lake.purchases"))


POINTS: dict[str, Callable[[Path], Point]] = {
    "ingest": Ingest, "pull": Pull, "activate": Activate, "stream": Stream, "refresh": Refresh, "run": Run,
}  # fmt: skip
ABOUT = """\
# What a kill at any moment leaves

Made by `make soak` on {day}. Each command was killed (SIGKILL, with all its processes) at a random moment of its time,
and then run again as it was, until it succeeded; as often as the column of kills says, which is what the time allowed.

| command | kills | while it ran | last state not readable | most runs until whole | rows lost | rows doubled |
|---|---:|---:|---:|---:|---:|---:|
"""
BELOW = """
- **while it ran**: the kills that met the command; the others came in the moment after its end.
- **last state not readable**: how often, after the kill and before the next run, the tables published last could not be
  opened. Where nothing was published yet, nothing is asked.
- **most runs until whole**: 1 where the first run after every kill succeeded.
- **rows lost, rows doubled**: against a run that nothing disturbed, or two of them one after the other (a kill may come
  when all is done), row by row, without the numbers of batches and evaluations and the times of what was done.

What is compared: after `clv ingest` and the pull (the second of two, with an overlap) every accepted and every rejected
row of the lake; after `clv refresh` and `clv run` every published table, and that the report is whole; after
`clv activate` every line handed over; of `clv stream`, that each event that was acknowledged is in the lake once.

The workbook is small ({customers} customers), so that many kills fit into an hour: a kill meets the commands' own steps
more often than the long work between them. The commands are forked from a process that has imported the package; a kill
during the imports, before a command has done anything, is not tried.
"""


def soaked(name: str, kills: int, folder: Path, until: float) -> Outcome:
    """Kill one command so many times, or until the time is over."""
    point, chance = POINTS[name](folder / name), random.Random(f"{name} {kills}")
    outcome, begun = Outcome(f"`{point.command}`"), time.monotonic()
    while outcome.kills < kills and time.monotonic() < until:
        point.trial(chance, outcome)
    shutil.rmtree(point.folder)
    print(outcome.row(), f"{time.monotonic() - begun:.0f} s; in peace {point.seconds:.1f} s", flush=True)
    return outcome


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=24 * 60, help="after which no further kill begins")
    parser.add_argument("--only", default="", help=f"of {', '.join(POINTS)}")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    names = given.only.split(",") if given.only else list(POINTS)
    end = time.monotonic() + given.minutes * 60
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="clv_soak_") as folder:
        for left, name in zip(range(len(names), 0, -1), names, strict=True):
            share = (end - time.monotonic()) / left
            outcomes.append(soaked(name, given.kills, Path(folder), time.monotonic() + share))
    if not given.only:
        rows = "".join(f"{outcome.row()}\n" for outcome in outcomes)
        head = ABOUT.format(day=f"{dt.date.today():%-d %B %Y}")
        PAGE.write_text(head + rows + BELOW.format(customers=CUSTOMERS), "utf-8")
    return 1 if any(each.lost or each.doubled or each.unreadable for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
