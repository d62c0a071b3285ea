"""The lake's file written anew: DuckDB keeps the bytes of deleted rows in free blocks until they are overwritten."""

from __future__ import annotations

import contextlib
import shutil

from clv_helpers.engines import spill
from clv_helpers.engines.dialect import literal, to_sql
from clv_helpers.engines.engine import STORE, Engine
from clv_helpers.files import copy_file


def compact(engine: Engine) -> None:
    """Put a file that holds the present rows alone in the place of the lake's, and publish it.

    Both files are swapped in by rename, while the old one is held: who reads goes on reading the old one until then,
    and whoever is killed here leaves whole files. Raises LakeBusyError. Cost: one copy of every table.
    """
    beside = engine.lake.with_name("lake.part.duckdb")
    publishing = engine.published.with_name("published.part.duckdb")
    for part in (beside, publishing):
        for leftover in (part, part.with_name(f"{part.name}.wal")):
            leftover.unlink(missing_ok=True)  # of a process that was killed here
    with contextlib.closing(engine._open_waiting()) as connection:
        connection.execute(f"CHECKPOINT {STORE}")
        connection.execute(f"ATTACH {to_sql(literal(str(beside)))} AS compacted")
        connection.execute(f"COPY FROM DATABASE {STORE} TO compacted")
        connection.execute("CHECKPOINT compacted")
        connection.execute("DETACH compacted")
        beside.chmod(0o600)
        copy_file(beside, publishing)
        publishing.chmod(0o600)
        publishing.replace(engine.published)
        beside.replace(engine.lake)
    shutil.rmtree(spill.of_the_writer(engine.lake.parent), ignore_errors=True)
