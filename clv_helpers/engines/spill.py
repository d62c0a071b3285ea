"""Where that goes which does not fit into memory: a folder for each connection, beside the lake.

DuckDB makes it when it is needed, and removes it at the end. Two at once in one folder overwrite each other's files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from pathlib import Path

NAME = "spill"
KEPT_SECONDS = 86_400.0  # of what a killed process may have left


def of_the_writer(folder: Path) -> Path:
    """Whoever has the lake of a folder has this one as well."""
    return folder / NAME


def of_a_reader(folder: Path) -> Path:
    """A new one; where the reader may not write beside the lake, in its current folder."""
    return (folder if os.access(folder, os.W_OK) else Path()) / f"{NAME}-{uuid.uuid4().hex}"


def remove_left(folder: Path) -> None:
    """Remove what readers that were killed have left beside the lake; those that go on have written since."""
    for left in folder.glob(f"{NAME}-*"):
        with contextlib.suppress(OSError):  # it goes just now
            if time.time() - left.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(left)
