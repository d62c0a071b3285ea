"""Sources elsewhere: on S3 (moto), on a web server and an SFTP server of 127.0.0.1, and what these may do amiss."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers import PASSWORD, USER, certificate, s3_server, sftp_server

from clv_helpers import ingest
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest import IngestError, remote
from conftest import write_shop

HEADER = "customer,day,spent\n"
JANUARY, FEBRUARY = HEADER + "a,2024-01-03,10.50\nb,2024-01-04,20\n", HEADER + "a,2024-02-10,5.25\n"


@pytest.fixture
def at(tmp_path: Path, outputs: Path) -> Callable[[str], Workbook]:
    """The small shop, its purchases at an address."""

    def shop(address: str) -> Workbook:
        file = write_shop(tmp_path / "shop")
        file.write_text(file.read_text().replace("purchases.csv", f"'{address}'"))
        return Workbook.open(file)

    return shop


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket `shop`, and the environment that leads there; gives the file system that writes to it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with s3_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        from s3fs import S3FileSystem

        system = S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
        system.mkdir("shop")
        yield system


class Web:
    """A web server with a certificate: its files by path, and how it behaves."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str] = {"ETag": '"1"'}
        self.status, self.breaks, self.port = 200, 0, 0
        self.asked: list[dict[str, str]] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body, path = self.files.get(handler.path.partition("?")[0]), handler.path
        self.asked.append({"method": handler.command, "path": path, **dict(handler.headers)})
        handler.send_response(self.status if body is not None else 404)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body or b"")))
        handler.end_headers()
        if handler.command == "HEAD" or body is None:
            return
        self.breaks -= 1
        handler.wfile.write(body[: len(body) // 2] if self.breaks >= 0 else body)

    def url(self, path: str, user: str = "") -> str:
        return f"https://{user}127.0.0.1:{self.port}{path}"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    made = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    public, context = certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    yield made
    server.shutdown()
    server.server_close()


def outcomes(workbook: Workbook) -> list[tuple[str, str]]:
    return [(batch.file, batch.status) for batch in ingest.ingest_files(workbook)]


def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are fetched from here on."""
    fetched, original = [], remote.Remote.fetch

    def noting(self: remote.Remote, file: remote.SourceFile, place: Path) -> None:
        fetched.append(file.name)
        original(self, file, place)

    monkeypatch.setattr(remote.Remote, "fetch", noting)
    return fetched


def nothing_is_left(workbook: Workbook) -> bool:
    return not list(workbook.folder.glob("reading-*"))


def test_objects_of_a_pattern_become_batches(at: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.pipe_file("shop/orders/2024/01/part.csv", JANUARY.encode())
    bucket.pipe_file("shop/orders/2024/02/part.csv", FEBRUARY.encode())
    bucket.pipe_file("shop/orders/2024/02/notes.txt", b"no rows")
    workbook, fetched = at("s3://shop/orders/**/*.csv"), fetches(monkeypatch)
    assert outcomes(workbook) == [("2024/01/part.csv", "success"), ("2024/02/part.csv", "success")]
    with workbook.engine.read_latest() as session:
        assert session.scalar("SELECT SUM(amount) AS amount FROM lake.purchases") == pytest.approx(35.75)
    assert nothing_is_left(workbook)

    bucket.pipe_file("shop/orders/2024/03/part.csv", (HEADER + "c,2024-03-01,1\n").encode())
    fetched.clear()
    assert [status for _, status in outcomes(workbook)] == ["already ingested", "already ingested", "success"]
    assert fetched == ["2024/03/part.csv"], "what is in the lake is not fetched again"


def test_the_checksum_tells_what_came_in(at: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that names the same bytes otherwise costs a second fetch, not a second batch."""
    bucket.pipe_file("shop/orders.csv", JANUARY.encode())
    workbook = at("s3://shop/orders.csv")
    assert outcomes(workbook) == [("orders.csv", "success")]
    monkeypatch.setattr(remote, "_version", lambda _: "another")
    fetched = fetches(monkeypatch)
    assert outcomes(workbook) == [("orders.csv", "already ingested")]
    assert fetched == ["orders.csv"]
    monkeypatch.undo()


def test_a_changed_object_is_refused_by_its_name(at: Any, bucket: Any) -> None:
    bucket.pipe_file("shop/orders/2024/part.csv", JANUARY.encode())
    workbook = at("s3://shop/orders/*/part.csv")
    outcomes(workbook)
    bucket.pipe_file("shop/orders/2024/part.csv", FEBRUARY.encode())
    with pytest.raises(IngestError, match=r"^2024/part.csv was ingested as batch 1 and has changed since"):
        outcomes(workbook)
    assert nothing_is_left(workbook)
    assert ingest.replay(workbook, 1, Path("2024/part.csv")).reason == "replaces batch 1"
    assert outcomes(workbook) == [("2024/part.csv", "already ingested")]
    with pytest.raises(IngestError, match=r"2023/part\.csv cannot be read"):
        ingest.replay(workbook, 2, Path("2023/part.csv"))


def test_a_folder_stands_for_the_data_files_in_it(at: Any, bucket: Any) -> None:
    for name in ("a.csv", "b.csv", "readme.md", ".hidden.csv"):
        bucket.pipe_file(f"shop/orders/{name}", JANUARY.replace("2024", f"20{10 + len(name)}").encode() + name.encode())
    assert [file.name for file in remote.files(at("s3://shop/orders"), "purchases")] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "ftp://host/x.csv",
            "'ftp://host/x.csv'; allowed: a path of this machine, or an address that begins with s3://",
        ),
        ("http://host/x.csv", "'http://host/x.csv'; allowed: a path of this machine, or an address"),
        ("https://host/orders/*.csv", "allowed: the address of one file"),
        ("s3:///x.csv", "allowed: s3:// with a server or a bucket"),
        ("sftp://clv:hush@host/x.csv", "'sftp://clv@host/x.csv'; allowed: a password by the name of an environment"),
    ],
)
def test_addresses_that_cannot_be(at: Any, address: str, said: str) -> None:
    with pytest.raises(ParamsError) as refused:
        ingest.ingest_files(at(address))
    assert said in str(refused.value)
    assert "hush" not in str(refused.value)


def refusal(workbook: Workbook) -> str:
    """The one sentence with which what lies elsewhere is refused; nothing of it is in the lake, or left on the disk."""
    with pytest.raises(IngestError) as refused:
        ingest.ingest_files(workbook)
    assert not ingest.batches(workbook)
    assert nothing_is_left(workbook)
    said = str(refused.value)
    assert said.count("\n") == 0
    return said


def test_a_web_server(at: Any, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/export/orders.csv"] = JANUARY.encode()
    monkeypatch.setenv("SHOP_KEY", "hush")
    workbook = at(web.url("/export/orders.csv?key=${SHOP_KEY}&sig=a%2Fb", "clv:${SHOP_KEY}@"))
    assert outcomes(workbook) == [("orders.csv", "success")]
    assert web.asked[-1]["path"] == "/export/orders.csv?key=hush&sig=a%2Fb"
    assert web.asked[-1]["Authorization"].startswith("Basic ")
    before = len(web.asked)
    assert outcomes(workbook) == [("orders.csv", "already ingested")]
    assert [each["method"] for each in web.asked[before:]] == ["HEAD"], "the ETag tells"


def test_a_web_server_that_tells_no_etag_is_asked_again(at: Any, web: Web) -> None:
    web.files["/orders.csv"], web.headers = JANUARY.encode(), {}
    workbook = at(web.url("/orders.csv"))
    assert [outcomes(workbook)[0][1], outcomes(workbook)[0][1]] == ["success", "already ingested"]
    assert sum(each["method"] == "GET" for each in web.asked) == 2


def test_a_connection_that_breaks_is_tried_again(at: Any, web: Web) -> None:
    web.files["/orders.csv"], web.breaks = JANUARY.encode(), 2
    assert outcomes(at(web.url("/orders.csv"))) == [("orders.csv", "success")]
    assert sum(each["method"] == "GET" for each in web.asked) == 3


def test_a_connection_that_always_breaks_leaves_nothing(at: Any, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "hush")
    web.files["/orders.csv"], web.breaks = JANUARY.encode(), 99
    said = refusal(at(web.url("/orders.csv?key=${SHOP_KEY}", "clv:${SHOP_KEY}@")))
    assert said.startswith(
        f"sources.purchases.path: https://clv@127.0.0.1:{web.port}/orders.csv: it cannot be read, or not to its end"
    )
    assert "hush" not in said
    assert "SHOP_KEY" not in said


@pytest.mark.parametrize(
    ("status", "said"), [(401, "access is denied"), (403, "access is denied"), (503, "answers with status 503")]
)
def test_a_web_server_that_refuses(at: Any, web: Web, status: int, said: str) -> None:
    web.files["/orders.csv"], web.status = JANUARY.encode(), status
    assert said in refusal(at(web.url("/orders.csv")))
    web.files.clear()
    assert "there is no such file" in refusal(at(web.url("/orders.csv")))


def test_a_certificate_that_nobody_knows(at: Any, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/orders.csv"] = JANUARY.encode()
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate is not trusted" in refusal(at(web.url("/orders.csv")))


def test_a_file_that_changes_while_it_is_read(at: Any, web: Web) -> None:
    web.files["/orders.csv"] = JANUARY.encode()
    workbook = at(web.url("/orders.csv"))
    [file] = remote.files(workbook, "purchases")
    web.headers["ETag"] = '"2"'
    with pytest.raises(remote.RemoteError, match="has changed while it was read"), file.fetched(workbook.folder):
        pass
    assert nothing_is_left(workbook)


def test_s3_that_does_not_let_in(at: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such file, folder or bucket" in refusal(at("s3://no-such-bucket/*.csv"))
    assert "there is no such file, folder or bucket" in refusal(at("s3://shop/orders.csv"))
    with pytest.raises(ParamsError, match=r"s3://shop/\*\.csv \(no such file\)"):
        ingest.ingest_files(at("s3://shop/*.csv"))
    bucket.pipe_file("shop/orders.csv", JANUARY.encode())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("HOME", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    said = refusal(at("s3://shop/orders.csv"))
    assert "access is denied" in said
    assert "AWS_ACCESS_KEY_ID" in said


def test_a_server_that_does_not_answer(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    assert "the server does not answer (ClientConnectorError)" in refusal(at(f"https://127.0.0.1:{port}/x.csv"))
    monkeypatch.setenv("HOME", "/nonexistent")
    assert "Connect call failed" in refusal(at(f"sftp://clv@127.0.0.1:{port}/x/*.csv"))


@pytest.mark.parametrize("address", ["https://127.0.0.1:{}/x.csv", "sftp://clv@127.0.0.1:{}/x.csv"])
def test_a_server_that_says_nothing(at: Any, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(remote, "CONNECTING", 1)
    monkeypatch.setenv("HOME", "/nonexistent")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        said = refusal(at(address.format(silent.getsockname()[1])))
        assert "the server does not answer" in said or "Login timeout" in said


def test_sftp(at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    with sftp_server(tmp_path) as server:
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True)
        monkeypatch.setenv("HOME", str(home))
        address = server.url.replace("sftp://", f"sftp://{USER}:${{SHOP_PASSWORD}}@") + "/*.csv"
        for name, rows in (("january.csv", JANUARY), ("february.csv", FEBRUARY)):
            (server.folder / name).write_text(rows)
        said = refusal(at(address))
        assert "is not trusted" in said, "a server that nobody knows"
        assert PASSWORD not in said
        (home / ".ssh" / "known_hosts").write_text(server.known_hosts.read_text())
        workbook = at(address)
        assert outcomes(workbook) == [("february.csv", "success"), ("january.csv", "success")]
        assert {status for _, status in outcomes(workbook)} == {"already ingested"}
        monkeypatch.setenv("SHOP_PASSWORD", "wrong")
        with pytest.raises(IngestError, match="access is denied .*; keys come from ~/.ssh"):
            outcomes(at(address))


def test_what_is_not_installed_is_said(at: Any) -> None:
    try:
        import gcsfs  # noqa: F401
    except ImportError:
        said = refusal(at("gs://shop/orders/*.csv"))
        assert said.endswith("gs://shop/orders/*.csv: gs:// needs the package gcsfs: pip install 'clv-helpers[gs]'")


def test_check_tells_what_is_wrong(at: Any, bucket: Any) -> None:
    from clv_helpers.run import notebooks, row_check

    bucket.pipe_file("shop/orders/a.csv", b"customer,day\na,2024-01-01\n")
    [problem] = notebooks.check(at("s3://shop/orders/*.csv"))
    assert "is read from 'spent', which a.csv has not" in problem.value
    bucket.pipe_file("shop/orders/a.csv", JANUARY.encode())
    assert notebooks.check(at("s3://shop/orders/*.csv")) == []
    assert row_check.row_findings(at("s3://shop/orders/*.csv"))[0] == []
    [problem] = notebooks.check(at("s3://elsewhere/orders/*.csv"))
    assert problem.value.startswith("sources.purchases.path: s3://elsewhere/orders/*.csv: there is no such")


class Proxy:
    """A way to a server of 127.0.0.1 that breaks off after so many bytes of an answer, so many times."""

    def __init__(self, port: int, breaks: int, after: int):
        self.to, self.breaks, self.after = port, breaks, after
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                target.sendall(part)
                carried += len(part)
                if answers and carried > self.after and self.breaks > 0:
                    self.breaks -= 1
                    break
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def broken(port: int, breaks: int, after: int = 400_000) -> Iterator[Proxy]:
    made = Proxy(port, breaks, after)
    yield made
    made.server.close()


MANY = HEADER + "".join(f"c{number},2024-01-03,{number}\n" for number in range(60_000))  # about a megabyte


def test_s3_that_breaks_off(at: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    bucket.pipe_file("shop/orders.csv", MANY.encode())
    port = int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
    for after, there in ((400_000, True), (20_000, False)):  # it goes on where it was, but not forever
        with broken(port, 99, after) as way:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{way.port}")
            if there:
                assert outcomes(at("s3://shop/orders.csv")) == [("orders.csv", "success")]
            else:
                shutil.rmtree(at("s3://shop/orders.csv").folder)
                assert "orders.csv: " in refusal(at("s3://shop/orders.csv"))


def test_sftp_that_breaks_off(at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    with sftp_server(tmp_path) as server:
        (server.folder / "orders.csv").write_text(MANY)
        known = server.known_hosts.read_text().partition("]:")[2].split(" ", 1)[1]
        for breaks in (99, 2):
            with broken(server.port, breaks) as way:
                (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{way.port} {known}")
                workbook = at(f"sftp://{USER}:${{SHOP_PASSWORD}}@127.0.0.1:{way.port}/exports/orders.csv")
                if breaks == 2:
                    assert outcomes(workbook) == [("orders.csv", "success")]
                else:
                    assert "orders.csv: " in refusal(workbook)


def test_a_search_for_a_person_says_what_it_leaves(shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    from clv_helpers.run.person import find
    from clv_helpers.run.person_files import search

    monkeypatch.setenv("SHOP_KEY", "hush")
    text = shop.file.read_text()
    with shop.engine.read_latest() as session:
        person = find(session, shop, "a")
    for place, left in (
        ("path: 'https://clv:${SHOP_KEY}@host/orders.csv?key=${SHOP_KEY}'", "https://clv@host/orders.csv"),
        ("from: {database: 'sqlite:///shop.db', table: orders}", "the database of sources.purchases"),
    ):
        shop.file.write_text(text.replace("path: purchases.csv", place))
        assert search(Workbook.open(shop.file), person).unreadable[:1] == [left]


def test_a_workbook_from_a_bucket(
    bucket: Any, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from clv_helpers.run import new

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUCKET", "shop")
    mail = "message_id,campaign,customer_id,event_type,occurred_at\nm1,spring,a,sent,2024-02-01 10:00:00\n"
    for name, rows in (("orders-1.csv", JANUARY), ("orders-2.csv", FEBRUARY), ("mail.csv", mail)):
        bucket.pipe_file(f"shop/all/{name}", rows.encode())
    for source, purchases in (
        ("s3://${BUCKET}/all/orders-*.csv", "s3://${BUCKET}/all/orders-*.csv"),
        ("s3://shop/all/", "s3://shop/all/orders-*"),
    ):
        file = tmp_path / "shop.yml"
        with new.reading(file, source) as draft:
            made = new.answered(draft, new.questions(draft), {})
            assert new.sums(made, file).customers == 2
            new.write(made, file)
        written = Workbook.open(file)
        assert written.params.sources["purchases"].path == purchases
        assert {status for _, status in outcomes(written)} <= {"success", "already ingested"}
        file.unlink()
    with (
        pytest.raises(new.NewWorkbookError, match=r"s3://shop/none-\*: there is no such file"),
        new.reading(file, "s3://shop/none-*"),
    ):
        pass
