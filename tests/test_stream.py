"""The stream as a process of its own: what is acknowledged is in the tables once, whatever happens to the process."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas
import pytest

from clv_helpers import lifetime, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.ingest import streaming
from clv_helpers.ingest.http_endpoint import Endpoint
from clv_helpers.lifetime import prediction
from clv_helpers.run.refresh_all import refresh_after_ingest
from conftest import often

PARAMS = """
title: A stream
sources:
  purchases:
    path: nowhere.csv
    columns: {event_id: id, customer_id: customer, occurred_at: at, amount: spent}
"""


def event(number: int, day: int = 1) -> dict:
    return {"id": f"e{number}", "customer": f"c{number % 7}", "at": f"2024-01-{day:02d}T10:00:00Z", "spent": number / 4}


@pytest.fixture
def params(outputs: Path, tmp_path: Path) -> Path:
    file = tmp_path / "flow.yml"
    file.write_text(PARAMS)
    return file


class Server:
    """`clv stream` on a free port."""

    def __init__(self, params: Path, *options: str, program: tuple[str, ...] = ()):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        program = program or (str(Path(sys.executable).with_name("clv")),)
        command = [*program, "stream", params, f"--port={self.port}", *options]
        self.log = params.with_name("log.txt").open("a+")
        self.process = subprocess.Popen(command, stderr=self.log)

    def wait(self) -> Server:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)
        raise TimeoutError(self.said())

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def post(self, body: object, dataset: str = "purchases", **headers: str) -> tuple[int, dict]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{dataset}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def health(self) -> tuple[int, dict]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 60) -> None:
        self.process.send_signal(how)
        self.process.wait(timeout=seconds)


@contextlib.contextmanager
def serving(params: Path, *options: str) -> Iterator[Server]:
    server = Server(params, *options)
    try:
        yield server.wait()
    finally:
        server.process.kill()
        server.process.wait()


def in_lake(params: Path) -> list[str]:
    with Workbook.open(params).engine.write() as session:
        if not session.has_table("lake.purchases"):  # before the first batch
            return []
        return sorted(row["event_id"] for row in session.rows("SELECT event_id FROM lake.purchases"))


def test_events_come_in_and_the_tables_follow(params: Path) -> None:
    with serving(params, "--every=0.1") as server:
        assert server.post(event(1)) == (200, {"accepted": 1})
        assert server.post([event(2, day=5), event(3)]) == (200, {"accepted": 2})
        assert server.post(event(1)) == (200, {"accepted": 1})  # sent again: taken, and not counted twice
        status, answer = server.post({**event(4), "mood": "good"})
        assert (status, answer) == (200, {"accepted": 1, "unknown_columns": ["mood"]})
        server.stop()
    assert in_lake(params) == ["e1", "e2", "e3", "e4"]
    workbook = Workbook.open(params)
    assert workbook.query("derived.summary").iloc[0].purchases == 4
    assert float(workbook.query("derived.summary").iloc[0].spend) == (1 + 2 + 3 + 4) / 4
    late = event(5, day=2)  # between days that were folded before
    with serving(params, "--every=0.1") as server:
        server.post(late)
        server.stop()
    found = Workbook.open(params).query("derived.customer_day", order_by="customer_id, day")
    with workbook.engine.write() as session:
        session.run("DELETE FROM lake.checkpoint")
    models.refresh(workbook, "derived", "profile", "insights")
    assert found.equals(workbook.query("derived.customer_day", order_by="customer_id, day"))


def test_streaming_audience_follows_each_micro_batch(params: Path) -> None:
    audience = params.with_name("flow") / "audiences" / "big.yml"
    audience.parent.mkdir(parents=True)
    audience.write_text(
        "title: Spent much\nevaluation: streaming\n"
        "rule: {event: purchases, where: {field: amount, op: at least, value: 2}}\n"
    )
    with serving(params, "--every=0.1") as server:
        server.post([event(1), event(20)])
        _wait_for_rows(params, "audiences.membership", 1)
        server.post([event(15), event(2)])
        _wait_for_rows(params, "audiences.membership", 2)
        server.stop()
    customers = Workbook.open(params).query("audiences.membership", audience="big")
    assert sorted(customers["customer_id"]) == ["c1", "c6"]


def _wait_for_rows(params: Path, name: str, rows: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(NothingPublished, duckdb.Error):
            if len(Workbook.open(params).query(name)) == rows:
                return
        time.sleep(0.1)
    raise TimeoutError(f"{name} has not {rows} rows")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "no JSON"),
        (b"[]", "an array of at least one"),
        (b"[1]", "an array of at least one"),
        (b'{"id": NaN}', "NaN is no JSON value"),
        (b"\xff", "no JSON"),
        ([{**event(1), "id": " "}], "is empty"),
        ([{**event(1), "customer": None}], "is empty"),
        ([{**event(1), "spent": "much"}], "is not of type decimal"),
        ([{**event(1), "at": "2024-02-31"}], "is not of type timestamp"),
        ([{**event(1), "at": "2100-01-01"}], "lies in the future"),
        ([event(1), {**event(2), "customer": "\ud800"}], "is no JSON"),
    ],
)
def test_refused_with_the_reason_and_nothing_taken(refusing, body: object, says: str) -> None:
    status, answer = refusing.post(body)
    assert (status, answer["accepted"]) == (400, 0)
    assert says in answer["rejected"][0]["reason"]


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the refusals; at the end nothing is there."""
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "flow.yml").write_text(PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        with serving(folder / "flow.yml", "--every=0.1") as server:
            yield server
            assert server.post(event(1), "customers")[0] == 404
            assert server.post(b" " * 16_000_001)[0] == 413
            server.stop()
        assert in_lake(folder / "flow.yml") == []


def test_faults_are_named_by_event_and_column(refusing: Server) -> None:
    status, answer = refusing.post([event(1), {**event(2), "spent": "much"}, {"id": "x"}])
    assert status == 400
    assert [(fault["event"], fault["column"]) for fault in answer["rejected"]] == [
        (1, "amount"),
        (2, "customer_id"),
    ]


def test_health_says_which_batch_was_last_and_when_all_was_in(params: Path) -> None:
    with serving(params, "--every=0.1") as server:
        assert server.health() == (200, {"status": "ok", "last_batch": None, "seconds_since": pytest.approx(0, abs=60)})
        server.post(event(1))
        deadline = time.monotonic() + 60
        while server.health()[1]["last_batch"] != 1:
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.05)
        server.stop()
    assert server.process.returncode == 0


def test_tables_that_cannot_follow_are_seen_and_what_came_is_kept(params: Path) -> None:
    """Another process holds the lake: said once, by /health with 503, and by the exit code; the next stream has all."""
    held = """
import sys, time
from pathlib import Path
from clv_helpers.config.workbook import Workbook
with Workbook.open(sys.argv[1]).engine.write():
    print("held", flush=True)
    sys.stdin.read()
"""
    impatient = "from clv_helpers import cli; from clv_helpers.engines import engine\n"
    impatient += "engine.Engine.__init__.__defaults__ = (0.2,); cli.main()"
    server = Server(params, "--every=0.1", program=(sys.executable, "-c", impatient)).wait()
    command = [sys.executable, "-c", held, str(params)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        assert server.post(event(1))[0] == 200
        deadline = time.monotonic() + 60
        while (health := server.health())[0] != 503:
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.05)
        assert (health[1]["status"], "is writing to the lake" in health[1]["reason"]) == ("behind", True)
        server.stop()
        assert server.process.returncode == 1
        assert server.said().count("is writing to the lake") == 2, "once when it began, once at the end"
        assert "events that were acknowledged are kept" in server.said()
    finally:
        server.process.kill()
        holder.communicate("")
    with serving(params, "--every=0.1") as again:
        again.stop()
    assert in_lake(params) == ["e1"]
    assert Workbook.open(params).query("derived.summary").iloc[0].purchases == 1


def test_asked_to_end_in_the_middle_of_a_micro_batch_it_finishes_that(params: Path) -> None:
    slow = """
import sys, time
from clv_helpers import cli
from clv_helpers.ingest import streaming

once = streaming.ingest_files
def slowly(*given, **named):
    sys.stderr.write("in the middle\\n")
    time.sleep(1)
    return once(*given, **named)

streaming.ingest_files = slowly
cli.main()
"""
    server = Server(params, "--every=0.1", program=(sys.executable, "-c", slow)).wait()
    try:
        assert server.post([event(1), event(2)])[0] == 200
        deadline = time.monotonic() + 60
        while "in the middle" not in server.said():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert server.post(event(3))[0] == 200
        server.stop()
    finally:
        server.process.kill()
    assert server.process.returncode == 0, server.said()
    assert in_lake(params) == ["e1", "e2", "e3"]
    assert Workbook.open(params).query("derived.summary").iloc[0].purchases == 3


BROKEN = """
from clv_helpers import cli
from clv_helpers.ingest import {module}

def broken(*_):
    raise ValueError("nobody thought of this")

{module}.{method} = broken
cli.main()
"""


@pytest.mark.parametrize(
    ("module", "method"), [("http_endpoint", "Endpoint._keep"), ("streaming", "Stream.micro_batch")]
)
def test_error_that_nobody_foresaw_stops_the_server_and_no_request_waits(
    params: Path, module: str, method: str
) -> None:
    code = BROKEN.format(module=module, method=method)
    server = Server(params, "--every=2", program=(sys.executable, "-c", code))
    answers: list[int | None] = []

    def send() -> None:
        try:
            answers.append(server.post(event(1))[0])
        except OSError:  # the server is gone already
            answers.append(None)

    try:
        if module == "http_endpoint":
            server.wait()
        senders = [threading.Thread(target=send) for _ in range(4)]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join(timeout=60)
        assert server.process.wait(timeout=60) == 1
    finally:
        server.process.kill()
    assert len(answers) == 4
    assert 200 not in answers
    assert "stopped by an error that nobody foresaw (ValueError: nobody thought of this)" in server.said()
    assert "Traceback" not in server.said()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "text/plain; application/json"}, 415),
    ],
)
def test_a_page_of_the_web_cannot_write(refusing: Server, headers: dict[str, str], status: int) -> None:
    assert refusing.post(event(1), **headers)[0] == status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765"])
def test_nor_under_another_name_of_this_machine(refusing: Server, host: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", refusing.port, timeout=30)
    connection.request("POST", "/purchases", json.dumps(event(1)), {"Content-Type": "application/json", "Host": host})
    assert connection.getresponse().status == 400


def test_a_token_where_the_environment_has_one_and_slow_clients(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_STREAM_TOKEN", "s3cret")
    head = b"POST /purchases HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    half_a_body = head + (
        b"Content-Type: application/json\r\nAuthorization: Bearer s3cret\r\nContent-Length: 900\r\n\r\n["
    )
    with serving(params) as server:
        assert server.post(event(1))[0] == 401
        assert server.post(event(1), Authorization="Bearer wrong")[0] == 401
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        for number, each in enumerate(slow):
            each.sendall(head if number < 50 else half_a_body)
        with socket.create_connection(("127.0.0.1", server.port)) as gone:
            gone.sendall(half_a_body)
        allowed = {"Authorization": "Bearer s3cret", "Content_Type": "application/json; charset=utf-8"}
        assert server.post(event(1), **allowed)[0] == 200, "others are served meanwhile"
        for number, each in enumerate(slow):  # heads that end nowhere are closed, bodies that do not come are answered
            each.settimeout(40)
            assert each.recv(12) == (b"" if number < 50 else b"HTTP/1.1 408"), number
            each.close()
        server.stop()
        assert "Traceback" not in server.said()
        assert "s3cret" not in server.said()


def test_a_second_request_on_a_connection_has_the_same_time(refusing: Server) -> None:
    body = json.dumps({"no": "event"}).encode()
    head = b"POST /purchases HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", refusing.port), timeout=30) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        answer.read()  # all of it: it may come in pieces
        assert answer.status == 400
        client.sendall(head)
        assert client.recv(1) == b"", "closed"


def test_bodies_in_flight_are_bounded(refusing: Server) -> None:
    head = b"POST /purchases HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    sent = b" " * 15_900_000
    with contextlib.ExitStack() as stack:
        address = "127.0.0.1", refusing.port
        clients = [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(5)]
        for client in clients[:4]:
            client.sendall(head + b"Content-Length: 15900001\r\n\r\n" + sent)
        clients[4].sendall(head + b"Content-Length: 900001\r\n\r\n" + sent[:900_000])
        [first, *_] = select.select(clients, [], [], 30)[0]  # whichever is read last
        answer = first.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer.lower()
    deadline = time.monotonic() + 30
    while refusing.post(event(1, day=45))[0] != 400:  # what has gone is no longer counted
        assert time.monotonic() < deadline


def test_one_event_with_many_keys_of_its_own_takes_no_other_with_it(params: Path) -> None:
    with serving(params, "--every=0.1") as server:
        for number in range(50):
            assert server.post(event(number))[0] == 200
        assert server.post(event(50) | {f"key_{key}": key for key in range(150)})[0] == 200
        server.stop()
    assert len(in_lake(params)) == 51


ODD_VALUES = [
    None, "", " ", "7", "e1", 0, -1, 1e300, 10**40, True, "x" * 5000, "NaN", "\x00", "\U0001f600", "\ud800", [], [1],
    {}, {"id": 1}, {"ID": 1, "id": 2}, [[[]]], "2024-02-30", "1600-01-01", "2024-01-01T10:00:00Z", "12,5", "EUR 5",
    "a\u2028b",
]  # fmt: skip


def odd_event(chance: random.Random, number: int) -> dict:
    """An event as none should be: values of every kind, keys that differ by case, many keys, nested ones."""
    made: dict = event(number)
    for _ in range(chance.randint(0, 2)):
        made[chance.choice(list(made))] = chance.choice(ODD_VALUES)
    for _ in range(chance.choice([0, 0, 1, 3, 80])):
        name = chance.choice(
            ["ID", "Id", "mood", "Mood", "json", "_row", "a.b", "a", f"key {chance.random()}", "'", ""]
        )
        made[name] = chance.choice([*ODD_VALUES, {f"k{chance.random()}": 1}])
    return made


def text_of(value: object) -> str:
    """An event_id as the lake has it: objects without blanks."""
    return (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).strip()


@pytest.mark.parametrize("requests", [30, pytest.param(often(500, 100), marks=pytest.mark.slow)])
def test_every_acknowledged_event_is_in_the_lake_or_among_the_rejected(params: Path, requests: int) -> None:
    workbook, chance = Workbook.open(params), random.Random(22)
    journals = streaming._journals(workbook)
    endpoint = Endpoint(workbook, journals, lambda: None, dict)
    stream = streaming.Stream(workbook, journals, params.parent / "inbox", lambda *_, **__: None, print)
    acknowledged: set[str] = set()
    for number in range(requests):
        events = [odd_event(chance, 10 * number + each) for each in range(chance.choice([1, 1, 2, 5]))]
        with contextlib.suppress(streaming.IngestError):  # refused as a whole, by a sentence
            if not endpoint._keep("purchases", events):
                acknowledged |= {text_of(each["id"]) for each in events}
        if number % 50 == 49 or number == requests - 1:
            stream.micro_batch()
    assert len(acknowledged) > requests / 3
    with workbook.engine.write() as session:
        found = {row["event_id"] for row in session.rows("SELECT event_id FROM lake.purchases")}
        read, kept = session.rows(
            "SELECT SUM(rows_read) AS r, SUM(rows_accepted + rows_rejected) AS k FROM lake.batches"
        )[0].values()
    assert acknowledged <= found
    assert read == kept
    assert not list(journals["purchases"].folder.glob("stream_*"))


def test_odd_event_in_a_journal_is_set_aside_alone(params: Path) -> None:
    """As after an upgrade, or a change of the params: what a journal holds was judged by other rules."""
    workbook = Workbook.open(params)
    journals = streaming._journals(workbook)
    stream = streaming.Stream(workbook, journals, params.parent / "inbox", lambda *_, **__: None, print)
    good = [json.dumps(event(number)) for number in range(50)]
    journals["purchases"].append([*good[:20], json.dumps({**event(50), "spent": "much"}), *good[20:], '{"torn": '])
    stream.micro_batch()
    assert len(in_lake(params)) == 50
    with workbook.engine.write() as session:
        rows = session.rows("SELECT column_name, value, reason FROM lake.rejected_rows ORDER BY column_name")
    assert [(row["column_name"], row["value"]) for row in rows] == [("amount", "much"), ("line 1", '{"torn":')]
    assert "is no JSON" in rows[1]["reason"]


def test_tables_after_a_stream_are_those_of_a_rebuild_with_the_same_fit(workbook: Workbook, outputs: Path) -> None:
    journals = streaming._journals(workbook)
    stream = streaming.Stream(workbook, journals, outputs / "inbox", refresh_after_ingest, print, settle=1e9)
    refresh_after_ingest(workbook)  # what the fixture built in parts
    fitted = lifetime.record(workbook)
    before = workbook.query("derived.customer_value", order_by="customer_id")
    customers, day = list(before["customer_id"].iloc[:3]), workbook.query("derived.as_of")["last_event_on"].iloc[0]
    ranked = workbook.query("derived.customer_decile")
    stream.unsettled_since = None
    for number, customer in enumerate(customers):
        flight = {
            "event_id": f"live{number}", "membership_number": customer, "amount": 100 + number, "mileage": 900,
            "occurred_at": f"{day:%Y-%m-%d}T00:00:0{number}Z", "loyalty_status": "Basic",
            "transaction_type": "STATUS_MILES",
        }  # fmt: skip
        journals["purchases"].append([json.dumps(flight)])
        stream.micro_batch()
        at_once = workbook.query("profile.customer", customer_id=customer).iloc[0]
        assert at_once["last_purchase_on"].date() == day.date()
    assert len(workbook.query("derived.customer_decile")) == len(ranked), "rankings follow later"
    stream.micro_batch(is_last=True)
    kept = lifetime.record(workbook)
    assert (kept.fitted_on, kept.fits) == (fitted.fitted_on, fitted.fits)
    assert kept.digest != fitted.digest
    streamed = all_rows(workbook)
    with workbook.engine.write() as session:  # all from nothing, but the fit
        session.run("DELETE FROM lake.checkpoint WHERE TRUE")
        session.run("DELETE FROM lifetime.score WHERE TRUE")
        session.run("UPDATE lifetime.prediction SET record = REPLACE(record, $digest, 'none')", digest=kept.digest)
    refresh_after_ingest(workbook)
    rebuilt = all_rows(workbook)
    assert streamed.keys() == rebuilt.keys()
    for name, rows in streamed.items():
        pandas.testing.assert_frame_equal(rows, rebuilt[name], rtol=1e-9, obj=name)
    refit = lifetime.refresh(workbook)  # as a schedule does
    assert refit.fitted_on.batch > kept.fitted_on.batch


def all_rows(workbook: Workbook) -> dict[str, pandas.DataFrame]:
    """Every published table but the records of what was done, in an order of its own."""
    found = {}
    with workbook.engine.read() as session:
        for name in session.tables():
            if name.split(".")[0] != "lake" and name not in ("audiences.evaluation", "lifetime.prediction"):
                rows = session.frame(f"SELECT * FROM {name}")
                exact = [column for column in rows if rows[column].dtype.kind != "f"]
                rows = rows.sort_values([*exact, *(column for column in rows if column not in exact)], key=_sortable)
                found[name] = rows.reset_index(drop=True)
    return found


def _sortable(values: pandas.Series) -> pandas.Series:
    return values.astype(str) if values.dtype == object else values


def test_a_fit_is_kept_until_a_hundredth_of_the_customers_bought(workbook: Workbook) -> None:
    fitted = lifetime.record(workbook)
    assert prediction.REFIT_SHARE == 0.01
    with workbook.engine.write() as session:
        now = replace(fitted.fitted_on, batch=fitted.fitted_on.batch + 1)
        assert prediction._still_fits(session, fitted, now)
        all_new = replace(fitted, fitted_on=replace(fitted.fitted_on, batch=0))
        assert not prediction._still_fits(session, all_new, now)
        assert not prediction._still_fits(session, fitted, replace(now, as_of="2999-01-01")), "a new month"
        assert not prediction._still_fits(session, fitted, replace(now, reverted=1))
        assert not prediction._still_fits(session, fitted, replace(now, made_with="other params"))


def test_what_an_earlier_version_refused_comes_in(params: Path) -> None:
    workbook = Workbook.open(params)
    folder = workbook.folder / "stream" / "purchases"
    folder.mkdir(parents=True)
    (folder / "stream_20240101T000000_0.refused").write_text(json.dumps(event(1)) + "\n")
    stream = streaming.Stream(
        workbook, streaming._journals(workbook), params.parent / "inbox", lambda *_, **__: None, print
    )
    stream.micro_batch()
    assert in_lake(params) == ["e1"]


def test_folder(params: Path, outputs: Path) -> None:
    inbox = outputs / "flow" / "inbox" / "purchases"
    with serving(params, "--every=0.2") as server:
        (inbox / "a.jsonl").write_text("".join(json.dumps(event(n)) + "\n" for n in range(5)))
        with (inbox / "growing.jsonl").open("w") as growing:
            for number in range(5, 15):  # a file that is still being written is not taken
                growing.write(json.dumps(event(number)) + "\n")
                growing.flush()
                time.sleep(0.1)
        (inbox / "broken.jsonl").write_text("no json\n")
        deadline = time.monotonic() + 30
        while server.said().count("events accepted") < 2 or "broken.jsonl is no JSON" not in server.said():
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.1)
        server.stop()
    assert in_lake(params) == sorted(f"e{number}" for number in range(15))
    assert "broken.jsonl is no JSON" in server.said()


@pytest.mark.parametrize("trial", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, often(5, 3)))])
def test_killed_at_any_moment(params: Path, outputs: Path, trial: int) -> None:
    """Two senders go on through three kills, sending again what was not acknowledged; then all is there once."""
    chance = random.Random(trial)
    acknowledged: set[str] = set()
    stop = threading.Event()
    box: dict[str, Server] = {}

    def send(sender: int) -> None:
        number = sender
        while not stop.is_set():
            batch = [event(n) for n in range(number, number + 20, 2)]
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                if box["server"].post(batch)[0] == 200:
                    acknowledged.update(row["id"] for row in batch)
                    number += 20

    box["server"] = Server(params, "--every=0.05").wait()
    senders = [threading.Thread(target=send, args=(n,)) for n in (0, 1)]
    for thread in senders:
        thread.start()
    try:
        for _ in range(3):
            time.sleep(chance.uniform(0.05, 0.6))
            box["server"].stop(signal.SIGKILL)
            box["server"] = Server(params, "--every=0.05").wait()
        deadline = time.monotonic() + 60
        while len(acknowledged) <= 20 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        for thread in senders:
            thread.join()
        box["server"].stop()
    found = in_lake(params)
    assert len(found) == len(set(found))
    assert acknowledged <= set(found)
    assert len(acknowledged) > 20
    assert Workbook.open(params).query("derived.summary").iloc[0].events == len(found)
    assert list((outputs / "flow" / "stream" / "purchases").glob("stream_*")) == []


def test_only_one_stream_per_workbook(params: Path) -> None:
    with serving(params):
        second = Server(params)
        assert second.process.wait(timeout=60) == 1
        assert "another process streams into flow already" in second.said()


def test_without_event_ids(outputs: Path, tmp_path: Path) -> None:
    params = tmp_path / "flow.yml"
    params.write_text(PARAMS.replace("event_id: id, ", ""))
    server = Server(params)
    assert server.process.wait(timeout=60) == 1
    assert "no dataset has an event_id" in server.said()


def test_port_that_is_taken(params: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        server = Server(params, f"--port={holder.getsockname()[1]}")
        assert server.process.wait(timeout=60) == 1
    assert "Address already in use; choose another with --port" in server.said()
