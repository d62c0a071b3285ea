"""Where that goes which does not fit into memory: a folder for each connection, beside the lake.

DuckDB makes it when it is needed, and removes it at the end. Two at once in one folder overwrite each other's files.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
import uuid
from pathlib import Path

NAME = "spill"
KEPT_SECONDS = 86_400.0  # of what a process of another machine may have left


def of_the_writer(folder: Path) -> Path:
    """Whoever has the lake of a folder has this one as well."""
    return folder / NAME


def of_a_reader(folder: Path) -> Path:
    """A new one; where the reader may not write beside the lake, in its current folder."""
    place = folder if os.access(folder, os.W_OK) else Path()
    return place / f"{NAME}-{os.getpid()}-{platform.node()}-{uuid.uuid4().hex}"


def remove_left(folder: Path) -> None:
    """Remove what readers that were killed have left beside the lake.

    Those of this machine are known by their process; of another's, those that have not written for a day.
    """
    for left in folder.glob(f"{NAME}-*"):
        with contextlib.suppress(OSError):  # it goes just now
            if _has_ended(left) or time.time() - left.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(left)


def _has_ended(left: Path) -> bool:
    """Whether it is known that the process that a folder is named after runs no more."""
    process, _, rest = left.name.removeprefix(f"{NAME}-").partition("-")
    if os.name != "posix" or rest.rpartition("-")[0] != platform.node():  # on Windows the question would end it
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's goes on
        pass
    return False
