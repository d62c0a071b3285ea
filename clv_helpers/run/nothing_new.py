"""Whether anything has changed since the last refresh of all tables: told from versions and files, without their rows.

What was found is a row of lake.checkpoint beside those of the tables, so whatever lets tables be built from nothing
lets go of it too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from clv_helpers.audiences import given
from clv_helpers.config.workbook import PACKAGE, Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.models import RefreshRow
from clv_helpers.models.checkpoints import CHECKPOINT, Checkpoint, write_checkpoints
from clv_helpers.run.history import TABLE

EVERYTHING = "*"  # in the place of a table's name: all that a refresh makes
DONE = ("rows", "full", "view", "predicted", "evaluated")  # modes which say that something was made
CODE = (".py", ".sql", ".yml", ".csv")
DOUBTFUL = "partly"  # audiences in doubt are looked at, and told of, with each refresh
OURS = f"SELECT definition, inputs FROM {CHECKPOINT} WHERE table_name = $name"
TABLES = f"SELECT COUNT(*) AS n, MAX(refreshed_at) AS newest FROM {CHECKPOINT} WHERE table_name <> $name"


def rows_if_unchanged(session: Session, workbook: Workbook) -> list[RefreshRow] | None:
    """The rows of the last refresh, as unchanged, where another one would make nothing else; None where it might.

    Cost: what stands in the catalogue, the number of rows of a dozen tables, a look at the package's files.
    """
    found = session.rows(OURS, name=EVERYTHING) if session.has_table(CHECKPOINT) else []
    if not found:
        return None
    kept = json.loads(found[0]["inputs"])
    if found[0]["definition"] != _state(session, workbook, kept["files"]):
        return None
    return [
        RefreshRow(**(row | {"mode": "unchanged" if row["mode"] in DONE else row["mode"], "seconds": 0.0}))
        for row in kept["rows"]
    ]


def note(session: Session, workbook: Workbook, rows: list[RefreshRow]) -> None:
    """Keep what all tables were made from just now, in the caller's transaction; of a doubtful refresh nothing."""
    session.run(f"DELETE FROM {CHECKPOINT} WHERE table_name = $name", name=EVERYTHING)
    if any(row.mode == DOUBTFUL for row in rows):
        return
    files = sorted(map(str, given.files(workbook)))
    inputs = {"files": files, "rows": [asdict(row) for row in rows]}
    state = _state(session, workbook, files)
    write_checkpoints(session, {EVERYTHING: Checkpoint(state, inputs, None)})


def _state(session: Session, workbook: Workbook, files: Iterable[str]) -> str:
    """All that a refresh goes by, hashed: what came in, the tables as they are, params, files, and this code.

    A table that bears no version (what came in, the logs) only gains rows or loses them.
    """
    versions = {name: version for name, version in session.versions().items() if name != TABLE}
    unversioned = sorted(name for name, version in versions.items() if version is None and name != CHECKPOINT)
    parts = [
        sorted((name, version) for name, version in versions.items() if version),
        [(name, session.count(table(name))) for name in unversioned],
        sorted(session.rows(TABLES, name=EVERYTHING)[0].items()),
        workbook.params.model_dump_json(),
        [(str(file), _content(file)) for file in [*_own_files(workbook), *map(Path, files)]],
        _code(),
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _own_files(workbook: Workbook) -> list[Path]:
    """The tables and audiences that stand beside the params."""
    found = (file for folder in ("sql", "audiences") for file in (workbook.specs / folder).rglob("*"))
    return sorted(file for file in found if file.is_file())


def _content(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # a list that is gone: then the audience is looked at
        return f"gone at {dt.datetime.now(dt.UTC)}"


def _code() -> list[tuple[str, int, int]]:
    """The files of this package, with size and time of change: of another version any of them differs."""
    files = (os.path.join(folder, name) for folder, _, names in os.walk(PACKAGE) for name in names)  # noqa: PTH118
    found = ((file, os.stat(file)) for file in files if file.endswith(CODE))  # noqa: PTH116 (five times as fast)
    return sorted((file, stat.st_size, stat.st_mtime_ns) for file, stat in found)
