"""Files that are whole or absent: written beside their name, then renamed. Files that one process holds at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from clv_helpers.engines.dialect import literal, to_sql

if TYPE_CHECKING:
    import pandas as pd


def write_atomically(file: Path, text: str) -> None:
    """Write text as UTF-8, so that a reader sees the old file or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def write_parquet(rows: pd.DataFrame, file: Path) -> None:
    """Write a DataFrame as Parquet."""
    beside = file.with_name(f".{file.name}.part")
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        connection.execute(f"COPY rows TO {to_sql(literal(str(beside)))} (FORMAT parquet)")
    beside.replace(file)


@contextlib.contextmanager
def held(file: Path) -> Iterator[bool]:
    """Whether this process alone holds a lock file, until the end of the block: the lock goes with the process."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
