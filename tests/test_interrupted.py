"""kill -9 at random moments, and run again: every eligible person exactly once, at every destination."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from activations import changed, checked_files, everyone_in, plan, sent
from eloqua_server import COMPANY, eloqua_server
from servers import PASSWORD, USER, s3_server, sftp_server, smtp_server

from clv_helpers import activation
from clv_helpers.config.workbook import ROOT, Workbook
from conftest import SMALL, often

TRIALS, MANY = 2, often(15, 5)
FILES = {"destinations.email_team.rows_per_file": 60}
MESSAGE = {
    "type": "smtp",
    "columns": {"email": "email", "first_name": "first_name"},
    "host": "127.0.0.1",
    "username": USER,
    "password_variable": "CLV_TEST_SECRET",
    "sender": "Airline <news@example.com>",
    "subject": "Hello",
    "text": "Hello {{ first_name }}",
    "unsubscribe_url": "https://example.com/u",
    "messages_per_second": 2000,
}
CONTACTS = {
    "type": "eloqua",
    "columns": {"email": "C_EmailAddress", "first_name": "C_FirstName"},
    "company": COMPANY,
    "username": USER,
    "password_variable": "CLV_TEST_SECRET",
    "contact_list": 7,
    "rows_per_request": 40,
    "poll_seconds": 0.02,
    "back_off_seconds": 0.01,
}


class Trials:
    """The same activation over and over, from the same state of the lake, each killed once or twice on its way."""

    def __init__(self, workbook: Workbook, overrides: dict[str, Any], seed: str):
        self.workbook = changed(workbook, **overrides)
        self.random = random.Random(seed)
        activation.decide(self.workbook)
        self.people = sent(self.workbook)
        customers = self.workbook.query("profile.customer")
        self.emails = Counter(customers[customers["customer_id"].isin(self.people)]["email"])
        assert len(self.people) > 100
        assert max(self.emails.values()) == 1
        self.start = self.workbook.folder.parent / "start"
        shutil.copytree(self.workbook.folder, self.start)
        arguments = [str(workbook.file), json.dumps({**SMALL, **overrides})]
        command = [sys.executable, ROOT / "tests" / "killing.py", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run(0.01)  # so that all is imported
        self.reset()
        self.seconds = self._measure()

    def run(self, kill_after: float | None = None) -> str:
        self.process.stdin.write(f"{kill_after if kill_after is not None else 'run'}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def _measure(self) -> float:
        started = time.monotonic()
        assert json.loads(self.run())["outcome"] == "done"
        return time.monotonic() - started

    def reset(self) -> None:
        shutil.rmtree(self.workbook.folder)
        shutil.copytree(self.start, self.workbook.folder)

    def kill(self) -> int:
        """Kill it once or twice; gives how often it was still running."""
        kills = 0
        for _ in range(self.random.choice([1, 1, 2])):
            started = time.monotonic()
            killed = self.run(self.random.uniform(0.05, 0.9 * self.seconds)) == "killed"
            if not killed:  # it was measured while the machine was busier
                self.seconds = min(self.seconds, time.monotonic() - started)
            kills += killed
        return kills

    def finish(self) -> dict[str, Any]:
        """Let it end. A run that had been finished before it was killed has nothing open."""
        return json.loads(self.run())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


def number_of_trials(slow: bool) -> int:
    return MANY if slow else TRIALS


@contextlib.contextmanager
def trials(workbook: Workbook, overrides: dict[str, Any], seed: str) -> Iterator[Trials]:
    made = Trials(workbook, {"activations": [plan()], **overrides}, seed)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CLV_TEST_SECRET", PASSWORD), ("AWS_ACCESS_KEY_ID", "t"), ("AWS_SECRET_ACCESS_KEY", "t")):
        monkeypatch.setenv(name, value)


@pytest.fixture
def large(workbook: Workbook) -> Workbook:
    """An audience that is large enough to be interrupted."""
    everyone_in(workbook, limit=260)
    return workbook


MORE = pytest.param(True, marks=pytest.mark.slow)
SLOW = [False, MORE]


def try_files(made: Trials, count: int, fetch: Callable[[], Path], clear: Callable[[], None]) -> None:
    """Files under a final name are whole at every moment, and in the end hold each person once."""
    killed = 0
    for _ in range(count):
        made.reset()
        clear()
        killed += made.kill() > 0
        there = {file.name: file.read_bytes() for file in fetch().iterdir() if not file.name.startswith(".")}
        made.finish()
        folder = fetch()
        for name, content in there.items():
            assert (folder / name).read_bytes() == content, "a file changed after it had its name"
        for part in folder.glob(".*"):
            part.unlink()  # of a killed upload; a later one of the same name overwrites it
        files = checked_files(folder)
        listed = ", ".join(f"'{file}'" for file in files)
        rows = duckdb.sql(f"SELECT loyalty_id FROM read_csv([{listed}], all_varchar = true)").fetchall()
        assert sorted(row[0] for row in rows) == sorted(made.people)
        assert set(made.workbook.query("activation.ledger")["status"]) == {"delivered"}
    assert killed * 3 >= count


@pytest.mark.parametrize("slow", SLOW)
def test_files_in_a_folder(large: Workbook, slow: bool) -> None:
    with trials(large, FILES, f"folder {slow}") as made:
        folder = made.workbook.folder / "exports"
        folder.mkdir(exist_ok=True)
        try_files(made, number_of_trials(slow), lambda: folder, lambda: folder.mkdir(exist_ok=True))


@pytest.mark.parametrize("slow", [MORE])
def test_files_by_sftp(large: Workbook, tmp_path: Path, slow: bool) -> None:
    with sftp_server(tmp_path) as server:
        options = {"path": server.url, "username": USER, "known_hosts": str(server.known_hosts)}
        options |= {"password_variable": "CLV_TEST_SECRET"}
        overrides = FILES | {f"destinations.email_team.{key}": value for key, value in options.items()}
        with trials(large, overrides, f"sftp {slow}") as made:

            def clear() -> None:
                for file in server.folder.iterdir():
                    file.unlink()

            try_files(made, number_of_trials(slow), lambda: server.folder, clear)


@pytest.mark.parametrize("slow", [MORE])
def test_files_to_s3(large: Workbook, tmp_path: Path, slow: bool) -> None:
    with s3_server() as url:
        from s3fs import S3FileSystem

        system = S3FileSystem(endpoint_url=url, use_listings_cache=False, skip_instance_cache=True)
        system.mkdir("exports")
        overrides = FILES | {
            "destinations.email_team.path": "s3://exports/x",
            "destinations.email_team.endpoint_url": url,
        }
        with trials(large, overrides, f"s3 {slow}") as made:

            def fetch() -> Path:
                folder = tmp_path / "got"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                for key in system.find("exports"):
                    (folder / Path(key).name).write_bytes(system.cat_file(key))
                return folder

            def clear() -> None:
                for key in system.find("exports"):
                    system.rm_file(key)

            try_files(made, number_of_trials(slow), fetch, clear)


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("delivery", ["at_most_once", "at_least_once"])
def test_messages(large: Workbook, tmp_path: Path, slow: bool, delivery: str) -> None:
    """At most once: nobody twice, and who is missing is in doubt. At least once: nobody is missing."""
    with smtp_server(tmp_path) as server:
        message = {**MESSAGE, "port": server.port, "ca_file": str(server.ca_file), "delivery": delivery}
        with trials(large, {"destinations.email_team": message}, f"{delivery} {slow}") as made:
            killed = 0
            for _ in range(number_of_trials(slow)):
                made.reset()
                server.messages.clear()
                kills = made.kill()
                killed += kills > 0
                made.finish()
                got = Counter(server.recipients)
                ledger = made.workbook.query("activation.ledger")
                in_doubt = (ledger["status"] == "in doubt").sum()
                assert ledger["lost_replies"].sum() <= kills
                assert set(got) <= set(made.emails)
                if delivery == "at_most_once":
                    assert set(got.values()) == {1}
                    missing = set(made.emails) - set(got)
                    assert len(missing) <= in_doubt == ledger["lost_replies"].sum()
                else:
                    assert set(got) == set(made.emails)
                    assert in_doubt == 0
                    assert sum(got.values()) - len(got) <= ledger["lost_replies"].sum()
            assert killed * 3 >= number_of_trials(slow)


@pytest.mark.parametrize("slow", SLOW)
def test_contacts_in_eloqua(large: Workbook, slow: bool) -> None:
    """Each contact is taken in by exactly one sync."""
    with eloqua_server() as account:
        contacts = {**CONTACTS, "base_url": account.url}
        with trials(large, {"destinations.email_team": contacts}, f"eloqua {slow}") as made:
            killed = 0
            for _ in range(number_of_trials(slow)):
                made.reset()
                with account.lock:
                    for store in (account.contacts, account.lists, account.taken_in):
                        store.clear()
                killed += made.kill() > 0
                made.finish()
                assert account.taken_in == made.emails
                assert account.lists == {"{{ContactList[7]}}": set(made.emails)}
                assert set(made.workbook.query("activation.ledger")["status"]) == {"delivered"}
            assert killed * 3 >= number_of_trials(slow)
