"""Files that are whole or absent: written beside their name, then renamed. Files that one process holds at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from filelock import FileLock, Timeout

if TYPE_CHECKING:
    import pandas as pd

# What copy_file_range says where it is not to be had: of an old kernel, of this file system, of these two.
NO_RANGES = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


def owner_only(folder: Path) -> None:
    """Let only the owner read a folder and what is in it: folders 700, files 600, whatever the umask was.

    Also what is there already. Nothing on Windows, which knows no such modes, and for what belongs to another.
    Cost: a look at each file's entry.
    """
    if os.name != "posix":
        return
    folder.mkdir(parents=True, exist_ok=True)
    _limit(folder)  # first: from here on nobody else comes to what is below
    for path, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            _limit(Path(path, name))


def _limit(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):  # gone meanwhile, or another's
        mode = path.lstat().st_mode
        wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
        if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) != wanted:
            path.chmod(wanted)


def write_atomically(file: Path, text: str) -> None:
    """Write text as UTF-8, so that a reader sees the old file or the new one, also after a crash.

    Raises OSError, which names the file also where the disk has no room for it; the old one stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(file)
    try:
        with beside.open("w", encoding="utf-8", newline="") as part:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
        beside.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if error.errno is None:  # not of the system
            raise
        raise OSError(error.errno, error.strerror, str(file)) from None


def write_parquet(rows: pd.DataFrame, file: Path) -> None:
    """Write a DataFrame as Parquet. Raises OSError with the file's name, as where the disk is full."""
    beside = _beside(file)
    try:
        with duckdb.connect() as connection:
            connection.from_df(rows).write_parquet(str(beside))
    except duckdb.IOException as error:
        beside.unlink(missing_ok=True)
        raise OSError(errno.EIO, str(error).rpartition(": ")[2], str(file)) from None
    beside.replace(file)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's contents. Raises OSError.

    Cost: nothing where the file system lets two files share their blocks until one of them changes (XFS, Btrfs; 1.2 GB
    in less than a millisecond); else what `shutil.copyfile` takes, the speed of memory while the file fits there.
    """
    try:
        with source.open("rb") as read, target.open("wb") as written:
            while os.copy_file_range(read.fileno(), written.fileno(), 1 << 30):
                pass
        if target.stat().st_size == source.stat().st_size:  # some file systems say 0 at once, and copy nothing
            return
    except AttributeError:  # only Linux has it
        pass
    except OSError as error:
        if error.errno not in NO_RANGES:
            raise
    shutil.copyfile(source, target)


def _beside(file: Path) -> Path:
    """A name of its own beside a file: two writers of one file do not write into each other's."""
    return file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.part")


@contextlib.contextmanager
def held(file: Path, patience: float = 0.0) -> Iterator[bool]:
    """Whether this process alone holds a lock file, until the end of the block: the lock goes with the process.

    Waits up to `patience` seconds for whoever holds it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
