"""docs/destinations.md tells the truth: its keys are the models', its example params are valid, its plug-in works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from activations import activated, changed, everyone_in, sent

from clv_helpers.activation.destination import open_destination
from clv_helpers.config import destinations
from clv_helpers.config.destinations import DestinationError, DestinationParams, destination_types
from clv_helpers.config.params import Params
from clv_helpers.config.validation import ParamsError, parse_value, validate
from clv_helpers.config.workbook import ROOT, Workbook

PAGE = (ROOT / "docs" / "destinations.md").read_text("utf-8")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)[1]


def keys(heading: str) -> set[str]:
    first_cells = re.findall(r"^\| (`[^|]+) \|", section(heading), flags=re.MULTILINE)
    return {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}


def test_the_keys_of_every_type_are_documented() -> None:
    common = set(DestinationParams.model_fields)
    assert keys("What every destination has") == common
    for kind in ("files", "smtp", "eloqua", "table"):
        own = set(destination_types()[kind].load().Params.model_fields) - common
        assert keys(kind) - common == own, kind


def test_what_an_activation_may_say_is_told() -> None:
    for model in (destinations.Guards, destinations.ControlGroup, destinations.FrequencyCap):
        for key in model.model_fields:
            assert key in PAGE or key == "expected_rate"
    for key in destinations.Activation.model_fields:
        assert key in PAGE


def test_the_example_is_valid() -> None:
    raw = parse_value(block("yaml"))
    params = validate(Params, {"title": "t", "sources": {"purchases": {"path": "x"}}, **raw}, "docs")
    assert params.activations[0].control.share == 0.1
    example = parse_value(re.search(r"```yaml\n(.*?)```", section("table"), flags=re.DOTALL)[1])
    table = destination_types()["table"].load().Params.model_validate(example["destinations"]["warehouse"])
    assert table.leavers == "mark"


class Receiver(BaseHTTPRequestHandler):
    """Takes lists of people by their key, once."""

    lists: dict[str, list[dict[str, Any]]] = {}
    lake: Path | None = None

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        people = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.lists:  # another process can write to the lake while we are being talked to
            code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE SCHEMA others')"
            subprocess.run([sys.executable, "-c", code, str(self.lake)], check=True)
        self.lists.setdefault(self.headers["Idempotency-Key"], people)
        self._answer({"rejected": {each["_customer"]: "not liked" for each in people if each["id"].endswith("7")}})

    def _answer(self, reply: dict[str, Any]) -> None:
        self.send_response(200 if self.headers["Authorization"] == "Bearer secret" else 403)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[str]:
    Receiver.lists = {}
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's plug-in as a package: its module, and the entry point as pip would write it."""
    folder = tmp_path / "site"
    (folder / "webhook-1.0.dist-info").mkdir(parents=True)
    (folder / "webhook.py").write_text(block("python"), encoding="utf-8")
    (folder / "webhook-1.0.dist-info" / "METADATA").write_text("Name: webhook\nVersion: 1.0\n")
    group, line = re.search(r'entry-points\."([^"]+)"\]\n(.+)', block("toml")).groups()
    (folder / "webhook-1.0.dist-info" / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("webhook", None)


def test_the_plug_in_of_the_page_works(
    workbook: Workbook, installed: None, receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(block("python").splitlines()) <= 60
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setattr(Receiver, "lake", workbook.engine.lake)
    everyone_in(workbook)
    params = {"type": "webhook", "url": receiver, "token_variable": "TOKEN", "columns": {"customer_id": "id"}}
    options = {"destinations.email_team": params}
    there = changed(workbook, **options)
    assert open_destination(there, there.params.activations[0]).check() == f"{receiver} answers"
    done = activated(workbook, **options)
    got = [each for people in Receiver.lists.values() for each in people]
    assert sorted(each["id"] for each in got) == sorted(workbook.query("activation.ledger")["customer_id"])
    assert {each["id"] for each in got} == sent(workbook) | {each["id"] for each in got if each["id"].endswith("7")}
    assert all(len(people) <= 100 for people in Receiver.lists.values())
    assert done.rejected == sum(each["id"].endswith("7") for each in got) > 0
    monkeypatch.setenv("TOKEN", "wrong")
    with pytest.raises(DestinationError, match="403"):
        activated(workbook, **options)
    with pytest.raises(ParamsError, match=r"destinations\.email_team\.urll is not a key; did you mean url\?"):
        changed(workbook, **{"destinations.email_team": {**params, "urll": "x"}})
