"""Secrets of the environment stand in no command line while commands run, and in nothing that they write or say."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from activations import plan
from servers import PASSWORD, smtp_server
from test_smtp import NAME, message

from clv_helpers.config.workbook import ROOT, Workbook
from conftest import SMALL, absent

CANARIES = {
    "CLV_TEST_SECRET": PASSWORD,
    "AWS_SECRET_ACCESS_KEY": "canary-of-s3",
    "CLV_STREAM_TOKEN": "canary-of-the-stream",
    "CLV_FORGET_KEY": "canary-of-forgetting",
}
MARK = "CLV_TEST_MARK=secrets"


def running() -> list[bytes]:
    """The command lines of all processes that a command has started, itself too: they inherit the mark."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if MARK.encode() in (process / "environ").read_bytes():
                lines.append((process / "cmdline").read_bytes())
    return lines


def told(values: list[bytes]) -> list[str]:
    return [name for name, secret in CANARIES.items() if any(secret.encode() in value for value in values)]


COMMANDS = [
    pytest.param(["activate", "win-back", "--confirm"], True, id="activate"),
    pytest.param(["activate", "win-back", "--confirm"], False, id="activate, and nobody answers"),
    pytest.param(["run"], True, id="run", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("command", "answers"), COMMANDS)
def test_no_secret_is_shown(workbook: Workbook, tmp_path: Path, command: list[str], answers: bool) -> None:
    if not Path("/proc/self/environ").exists():
        absent("there is no /proc to read command lines from")
    with smtp_server(tmp_path) as server:
        options = {**SMALL, NAME: message(server, messages_per_second=50), "activations": [plan(activate=True)]}
        if not answers:
            options[NAME]["port"] = 9  # nobody listens there
        name, *others = command
        sets = [part for key, value in options.items() for part in ("--set", f"{key}={json.dumps(value)}")]
        arguments = [Path(sys.executable).with_name("clv"), name, ROOT / "params" / "airline.yml", *others, *sets]
        said, seen = tmp_path / "said.txt", set()
        environment = {**os.environ, **CANARIES, **dict([MARK.split("=")])}
        with said.open("wb") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log, env=environment, cwd=ROOT)
            while process.poll() is None:
                seen.update(running())
                time.sleep(0.05)
    assert process.returncode == (0 if answers else 1), said.read_text()
    assert bool(server.messages) == answers
    assert any(b"clv" in line for line in seen)
    assert told([*seen]) == []
    assert told([said.read_bytes()]) == []
    assert told([file.read_bytes() for file in workbook.folder.rglob("*") if file.is_file()]) == []
