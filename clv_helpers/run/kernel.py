"""The kernel in which the notebooks of a run are executed, one after the other: libraries are imported once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "python3"
STARTS, NOT_STARTED = 3, "Kernel died before replying"  # of a kernel; what jupyter_client says of one that did not
ARGUMENTS = [
    # ipykernel logs its loopback port at the start and being interrupted at the end; what goes wrong in a cell stands
    # in the notebook
    "--IPKernelApp.log_level=CRITICAL",
    "--HistoryManager.hist_file=:memory:",
    # what the notebooks import is imported while the chain prepares the first one
    "--IPKernelApp.exec_lines=import clv_helpers.run.build, clv_helpers.run.closing",
]
# Stages pass data through the lake alone: a notebook finds no name, no output and no finding of the one before.
FORGET = """
from IPython import get_ipython
from clv_helpers.charts import show

show.TOLD.clear()
get_ipython().reset(new_session=True)
"""


class Kernel:
    """A kernel that executes notebooks in a folder; its imports begin at once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.start()

    def start(self) -> None:
        from jupyter_client.manager import AsyncKernelManager
        from nbclient.util import run_sync

        self.manager, self.is_new = AsyncKernelManager(kernel_name=NAME), True
        run_sync(self.manager.start_kernel)(extra_arguments=ARGUMENTS, cwd=str(self.folder))

    def end(self) -> None:
        from nbclient.util import run_sync

        if self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)(now=True)

    def execute(self, notebook: Path, output: Path, parameters: dict[str, Any]) -> None:
        """Execute a notebook into a file, from its beginning again where its kernel could not start: no cell ran then.

        A kernel's ports are chosen before it binds them, and another process may bind one in between.
        """
        for left in reversed(range(STARTS)):
            try:
                if not self.is_new:
                    self._forget()
                self.is_new = False
                self._execute(notebook, output, parameters)
                return
            except RuntimeError as error:
                if not left or NOT_STARTED not in str(error):
                    raise
                self.start()

    def _execute(self, notebook: Path, output: Path, parameters: dict[str, Any]) -> None:
        import papermill

        papermill.execute_notebook(
            notebook,
            output,
            parameters=parameters,
            cwd=self.folder,
            kernel_name=NAME,
            progress_bar=False,  # what it is at is told by progress
            request_save_on_cell_execute=False,  # it is saved at its end, whatever that is
            km=self.manager,
            extra_arguments=ARGUMENTS,
        )

    def _forget(self) -> None:
        import nbclient
        import nbformat

        cell = nbformat.v4.new_code_cell(FORGET)
        client = nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[cell]), km=self.manager)
        # its execute() would answer Ctrl-C by ending the kernel, and then complain that the kernel died
        with client.setup_kernel():
            client.execute_cell(cell, 0)


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Kernel]:
    """A kernel that works in a folder, to the end of the block."""
    kernel = Kernel(folder)
    try:
        yield kernel
    finally:
        kernel.end()
