"""Runs an activation in children that can be killed: imports once, forks for each, and holds no thread itself.

    python killing.py PARAMS_FILE OVERRIDES_JSON

Reads a line per child from standard input: after how many seconds it is killed, or `run` to let it end. Answers with a
line each: `killed`, or the JSON of what was done, or `error` and the sentence.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict

import fsspec.asyn  # noqa: F401 (imported before the fork, like the rest)
import pandas as pd  # noqa: F401
import s3fs  # noqa: F401
import sshfs  # noqa: F401

from clv_helpers import activation
from clv_helpers.activation import eloqua, files, smtp  # noqa: F401
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError


def run_activation(params_file: str, overrides: dict) -> str:
    """What was done, as JSON."""
    workbook = Workbook.open(params_file, overrides=overrides)
    try:
        return json.dumps(asdict(activation.activate(workbook, workbook.params.activations[0])), default=str)
    except UserError as error:
        return f"error {error}"


def child(params_file: str, overrides: dict, kill_after: float | None) -> str:
    """Fork, and kill the child with SIGKILL after some seconds, unless it ends before."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        os.write(writing, run_activation(params_file, overrides).encode())
        os._exit(0)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    with os.fdopen(reading) as stream:
        said = stream.read()
    _, status = os.waitpid(process, 0)
    return "killed" if os.WIFSIGNALED(status) else said


if __name__ == "__main__":
    arguments = sys.argv[1], json.loads(sys.argv[2])
    for line in sys.stdin:
        print(child(*arguments, None if line.strip() == "run" else float(line)), flush=True)
