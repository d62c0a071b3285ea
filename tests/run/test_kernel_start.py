"""A kernel whose port another process took is started again; whatever else goes wrong is not tried again."""

from __future__ import annotations

import functools
import socket
from pathlib import Path

import nbformat
import papermill
import pytest
from jupyter_client.connect import LocalPortCache

from clv_helpers.run.notebooks import STARTS, _with_kernel


@pytest.mark.parametrize("taken", [1, STARTS])
def test_a_port_that_is_taken_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """The first port of so many kernels is one that this test has bound."""
    cells = [nbformat.v4.new_code_cell("open('ran', 'a').write('once')")]
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), tmp_path / "in.ipynb")
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
        execute = functools.partial(
            papermill.execute_notebook,
            tmp_path / "in.ipynb", tmp_path / "out.ipynb", cwd=tmp_path, progress_bar=False,
        )  # fmt: skip
        if taken < STARTS:
            _with_kernel(execute)
            assert (tmp_path / "ran").read_text() == "once"
        else:
            with pytest.raises(RuntimeError, match="Kernel died before replying"):
                _with_kernel(execute)
    assert asked == ports_of_a_kernel * min(taken + 1, STARTS)


def test_another_error_is_not_tried_again() -> None:
    tries = []

    def fails() -> None:
        tries.append(1)
        raise RuntimeError("Kernel died")

    with pytest.raises(RuntimeError, match="Kernel died"):
        _with_kernel(fails)
    assert len(tries) == 1
