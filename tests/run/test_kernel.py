"""The kernel of a run: started again where its port was taken, and without memory of the notebook before."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.connect import LocalPortCache
from papermill.exceptions import PapermillExecutionError

from clv_helpers.run import kernel as kernels
from clv_helpers.run.kernel import STARTS, Kernel, started


def written(file: Path, *cells: str) -> Path:
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)], metadata=about), file)
    return file


@pytest.mark.parametrize("taken", [1, STARTS])
def test_a_port_that_is_taken_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """The first port of so many kernels is one that this test has bound."""
    notebook = written(tmp_path / "in.ipynb", "open('ran', 'a').write('once')")
    find, kernels = LocalPortCache.find_available_port, iter(range(taken))
    ports_of_a_kernel = 5
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        asked = 0

        def port(cache: LocalPortCache, ip: str) -> int:
            nonlocal asked
            asked += 1
            is_first = asked % ports_of_a_kernel == 1
            return bound.getsockname()[1] if is_first and next(kernels, None) is not None else find(cache, ip)

        monkeypatch.setattr(LocalPortCache, "find_available_port", port)
        with started(tmp_path) as kernel:
            if taken < STARTS:
                kernel.execute(notebook, tmp_path / "out.ipynb", {})
                assert (tmp_path / "ran").read_text() == "once"
            else:
                with pytest.raises(RuntimeError, match="Kernel died before replying"):
                    kernel.execute(notebook, tmp_path / "out.ipynb", {})
    assert asked == ports_of_a_kernel * min(taken + 1, STARTS)


def test_another_error_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fails(*_: object) -> None:
        tries.append(1)
        raise RuntimeError("Kernel died")

    monkeypatch.setattr(Kernel, "_execute", fails)
    with started(tmp_path) as kernel, pytest.raises(RuntimeError, match="Kernel died"):
        kernel.execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {})
    assert len(tries) == 1


@pytest.mark.parametrize("moment", ["in a cell", "between two notebooks"])
def test_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Ctrl-C is Ctrl-C wherever the run is, and no complaint that a kernel died."""
    waits = f"import pathlib, time; pathlib.Path({str(tmp_path / 'here')!r}).touch(); time.sleep(600)"
    first = written(tmp_path / "first.ipynb", waits if moment == "in a cell" else "1")
    if moment != "in a cell":
        monkeypatch.setattr(kernels, "FORGET", waits)

    def interrupt() -> None:
        while not (tmp_path / "here").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    # what runs in the background of a shell, as a test may, ignores it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with started(tmp_path) as kernel, pytest.raises(KeyboardInterrupt):
            for _ in range(2):
                kernel.execute(first, tmp_path / "out.ipynb", {})
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_notebook_finds_nothing_of_the_one_before(tmp_path: Path) -> None:
    """Also where that one ended with an error: no name, no output, no finding; and its cells count from one."""
    told = "from clv_helpers.charts import show; left = show.finding('Three came back.')"
    before = written(tmp_path / "before.ipynb", told, "'an output'", "1 / 0")
    asks = "from clv_helpers.charts import show; print('left' in globals(), [*Out], show.TOLD)"
    after = written(tmp_path / "after.ipynb", asks)
    with started(tmp_path) as kernel:
        with pytest.raises(PapermillExecutionError):
            kernel.execute(before, tmp_path / "b.ipynb", {})
        kernel.execute(after, tmp_path / "a.ipynb", {})
        its = kernel.manager
    [cell] = json.loads((tmp_path / "a.ipynb").read_text("utf-8"))["cells"]
    assert "".join(cell["outputs"][0]["text"]).strip() == "False [] {}"
    assert cell["execution_count"] == 1
    assert not its.has_kernel  # ended with the block
