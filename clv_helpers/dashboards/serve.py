"""The live board alone, in a browser, without JupyterLab: served by Voila on 127.0.0.1 with a token."""

from __future__ import annotations

import html
import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import spec
from clv_helpers.dashboards.live_board import in_order
from clv_helpers.errors import UserError
from clv_helpers.files import write_atomically

IDLE_SECONDS = 600  # of a visitor who has left, whose kernel then ends: it holds 170 MB
PAGES = Path(__file__).with_name("jupyter")  # our page for Voila, found through JUPYTER_PATH


class CannotServe(UserError):
    """The board cannot be served."""


def serve(workbook: Workbook, names: list[str], port: int, browser: bool, log: Callable[[str], None]) -> None:
    """Serve boards (all, value first, unless named) until interrupted; `log` gets the address, which bears a token.

    Cost: a process per visitor, until ten minutes after the page was closed.
    Raises CannotServe where Voila is not installed or ends by itself, ParamsError for a board that is not there.
    """
    if importlib.util.find_spec("voila") is None:
        raise CannotServe("serving a board alone needs Voila: pip install 'clv-helpers[board]'")
    boards = names or in_order(workbook)
    for name in boards:
        spec.load(workbook, name)
    token, port = secrets.token_hex(16), port or _free_port()
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder) / f"{workbook.name}.ipynb"
        write_atomically(notebook, _notebook(workbook, boards))
        command = [
            sys.executable, "-m", "clv_helpers.dashboards.board_server", str(notebook), f"--port={port}",
            "--Voila.ip=127.0.0.1", "--template=clv", "--Voila.log_level=ERROR",
            f"--MappingKernelManager.cull_idle_timeout={IDLE_SECONDS}",
            f"--MappingKernelManager.cull_interval={max(1, IDLE_SECONDS // 10)}",
            *([] if browser else ["--no-browser"]),
        ]  # fmt: skip
        paths = os.pathsep.join(filter(None, [str(PAGES), os.environ.get("JUPYTER_PATH")]))
        environment = {**os.environ, "JUPYTER_PATH": paths, "CLV_BOARD_TOKEN": token}
        # the pipe, of which nothing is ever written, ends with this process
        server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
        log(f"http://127.0.0.1:{port}/?token={token}")
        try:
            status = server.wait()
        except KeyboardInterrupt:
            status = 0
        finally:
            server.terminate()
            server.wait()
    if status:
        raise CannotServe(f"Voila ended with status {status}; is port {port} taken?")


def _notebook(workbook: Workbook, boards: list[str]) -> str:
    import nbformat

    source = (
        "from clv_helpers.audiences import of_marks\n"
        "from clv_helpers.config.workbook import Workbook\n"
        "from clv_helpers.dashboards.live_board import LiveBoard\n"
        f"workbook, boards = Workbook.open({str(workbook.file.resolve())!r}), {boards!r}\n"
        "LiveBoard(workbook, boards, in_address=True, make_audience=of_marks.make).widget"
    )
    title = workbook.params.title
    about = {"title": title, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_markdown_cell(f"<h1>{html.escape(title)}</h1>"), nbformat.v4.new_code_cell(source)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=about))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
