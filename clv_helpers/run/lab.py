"""`clv lab`: the notebooks for one workbook, copied into its outputs, so that no tracked file is edited."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from clv_helpers.config.workbook import Workbook
from clv_helpers.files import owner_only, write_atomically
from clv_helpers.run.notebooks import NOTEBOOKS, STAGES

YOUR_DATA = "0_your_data"
CONFIG = Path(__file__).with_name("jupyter")  # JupyterLab asks no newcomer whether it may fetch its news


def prepare(workbook: Workbook) -> Path:
    """Copy the notebooks to outputs/<name>/lab/, with the workbook's params file in them; gives that folder.

    0_your_data makes another workbook, whose params go beside those of this one.
    A copy that a person edited stays as it is; one that nobody edited follows the notebook that it was made from.
    """
    import nbformat

    folder = workbook.folder / "lab"
    file = workbook.file.resolve()
    line = f"params_file: str = {json.dumps(str(file))}  # the workbook"
    beside = f"name: str = {json.dumps(str(file.parent / 'my_shop'))}  # its params are written to NAME.yml"
    for name in (YOUR_DATA, *STAGES.values()):
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = re.sub(r"^params_file.*", lambda _: line, cell.source, flags=re.MULTILINE)
                cell.source = re.sub(r"^name: .*", lambda _: beside, cell.source, flags=re.MULTILINE)
        notebook.metadata["clv"] = {"copied": _fingerprint(notebook)}
        copy = folder / f"{name}.ipynb"
        if _may_be_replaced(copy, notebook.metadata["clv"]["copied"]):
            write_atomically(copy, nbformat.writes(notebook))
    owner_only(workbook.folder)
    return folder


def start(folder: Path, options: list[str]) -> int:
    """Start JupyterLab in a folder, and wait for its end; gives its exit status."""
    paths = os.pathsep.join(filter(None, (str(CONFIG), os.environ.get("JUPYTER_CONFIG_PATH"))))
    environment = {**os.environ, "JUPYTER_CONFIG_PATH": paths}
    process = subprocess.Popen([sys.executable, "-m", "jupyterlab", str(folder), *options], env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # JupyterLab gets it as well, and asks whether to stop
            continue


def _may_be_replaced(copy: Path, fingerprint: str) -> bool:
    """Whether a copy is absent, or is as it was made and of an older notebook."""
    import nbformat

    if not copy.exists():
        return True
    notebook = nbformat.read(copy, as_version=4)
    made = notebook.metadata.get("clv", {}).get("copied")
    return made == _fingerprint(notebook) and made != fingerprint


def _fingerprint(notebook: Any) -> str:
    """Of what the cells say, not of what running them gave."""
    return hashlib.sha256(json.dumps([cell.source for cell in notebook.cells]).encode()).hexdigest()
