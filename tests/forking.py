"""Commands as forks of a process that has imported everything: killed as any process is, and begun in milliseconds.

The process that forks opens no engine; of its libraries' threads, which are not in the forks, none holds a lock.
"""

from __future__ import annotations

import contextlib
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else it starts threads as it is imported, and forks wait for them

import gc
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 (imported before the fork, like the rest)
import pandas as pd  # noqa: F401
import papermill  # noqa: F401

from clv_helpers import activation, cli, dashboards, insights, lifetime, report, run  # noqa: F401
from clv_helpers.activation import eloqua, files, smtp  # noqa: F401


class Child:
    """Work in a fork, with what it says in a file: as subprocess.Popen, as far as that is asked here."""

    def __init__(self, work: Callable[[], int], log: Path):
        self.log = log
        log.write_text("", "utf-8")
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _as_child(work, log)

    def poll(self) -> int | None:
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if found else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; past the time, it and what it started are killed."""
        end = time.monotonic() + (300 if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")


def clv(*words: str) -> int:
    """The exit code of a command, in this process."""
    sys.argv = ["clv", *words]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def answer(work: Callable[[], Any]) -> Any:
    """What work gives, in a fork: so that this process never opens an engine."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(writing, "wb") as stream:
            try:
                pickle.dump(work(), stream)
            except BaseException:  # noqa: BLE001 (told, then the fork ends as one)
                traceback.print_exc()
        sys.stderr.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        found = stream.read()
    os.waitpid(child, 0)
    if not found:
        raise SystemExit("a fork has ended without an answer")
    return pickle.loads(found)


def _as_child(work: Callable[[], int], log: Path) -> None:
    os.setsid()
    with log.open("a") as stream, Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    code = 70
    try:
        code = work()
    except BaseException:  # noqa: BLE001 (told, then the fork ends as one)
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


gc.freeze()  # what was imported stays as it is in every fork
