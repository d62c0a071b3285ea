"""Runs commands of `clv` in children: imports once, forks for each. A line of JSON in, a line of JSON out.

In: `argv`, `env` (added to the environment), `seconds` (then it is interrupted, as by Ctrl-C), `stays` (it is
interrupted once it has said something). Out: `status`, `said` (standard output and error), `interrupted`. A lake that
is busy is waited for half a second here, not half a minute.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import pandas as pd  # noqa: F401 (imported before the fork, like the rest)

from clv_helpers import cli
from clv_helpers.engines.engine import Engine

GRACE_SECONDS = 20.0
MORE_SECONDS = 0.5  # to a command that stays, after its first word
Engine.__init__.__defaults__ = (0.5,)


def child(argv: list[str], env: dict[str, str], output: int) -> None:
    """The command itself, with a process group of its own; never comes back."""
    os.setsid()
    os.environ.update(env)
    sys.argv = ["clv", *argv]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = 0
    try:
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 (what the interpreter would print)
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def ended(process: int, seconds: float, output: int | None = None) -> int | None:
    """The status of a process that ends within so many seconds; `output`: or soon after it has said something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if output is not None and os.fstat(output).st_size:
            deadline, output = min(deadline, time.monotonic() + MORE_SECONDS), None
        time.sleep(0.01)
    return None


def run(argv: list[str], env: dict[str, str], seconds: float, stays: bool) -> dict:
    """One command to its end, or to its end once interrupted."""
    with tempfile.TemporaryFile() as output:
        process = os.fork()
        if process == 0:
            child(argv, env, output.fileno())
        status, interrupted = ended(process, seconds, output.fileno() if stays else None), False
        if status is None:
            interrupted = True
            os.kill(process, signal.SIGINT)
            status = ended(process, GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)  # also what it started
        if status is None:
            os.waitpid(process, 0)
        output.seek(0)
        return {"status": status, "said": output.read().decode(errors="replace"), "interrupted": interrupted}


if __name__ == "__main__":
    # the one mount that is this process's own: a folder that nobody can write to
    if len(sys.argv) > 1:
        subprocess.run(["mount", "--bind", sys.argv[1], sys.argv[1]], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", sys.argv[1]], check=True)
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
