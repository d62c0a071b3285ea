"""A PostgreSQL of a test's own, from the system's packages, behind a socket in a folder: `psql` is its client."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session

KINDS = {"HUGEINT": "NUMERIC(38, 0)", "UINTEGER": "BIGINT", "UBIGINT": "NUMERIC(20, 0)"}


def programs() -> Path | None:
    """Where initdb and postgres are, the newest first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).parent if here else None


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    socket: Path

    def run(self, sql: str) -> str:
        """What psql prints for a script. Raises AssertionError with what the server says against it."""
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket), "-U", "postgres"]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr.strip()
        return done.stdout

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query; dates and times as text."""
        printed = self.run(f"SELECT ROW_TO_JSON(answer) FROM (\n{query}\n) AS answer;")
        return [json.loads(line) for line in printed.splitlines()]

    def load(self, session: Session, name: str, folder: Path) -> None:
        """A table of a session, with its rows."""
        file = folder / f"{name}.json"
        rows = session.rows(f"SELECT CAST(TO_JSON(t) AS VARCHAR) AS row FROM {name} AS t")
        file.write_text("".join(f"{each['row']}\n" for each in rows), encoding="utf-8")
        columns = ", ".join(f'"{key}" {_kind(kind)}' for key, kind in session.columns(table(name)).items())
        self.run(
            f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]};\nCREATE TABLE {name} ({columns});\n"
            f"CREATE TEMPORARY TABLE came (row JSONB);\n"
            f"\\copy came FROM '{file}' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')\n"
            f"INSERT INTO {name} SELECT t.* FROM came, JSONB_POPULATE_RECORD(NULL::{name}, row) AS t;\n"
        )


def _kind(kind: str) -> str:
    """PostgreSQL's name for a type of DuckDB's; a struct or a map is JSON there."""
    if kind.startswith(("STRUCT", "MAP")):
        return "JSONB"
    return KINDS.get(kind) or exp.DataType.build(kind, dialect="duckdb").sql("postgres")


@contextlib.contextmanager
def postgres(programs: Path, folder: Path) -> Iterator[Postgres]:
    """A server in an empty folder, until the end. It refuses to run as root: then it is run as the user postgres."""
    user = "postgres" if os.geteuid() == 0 else None
    data = folder / "data"
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    said: dict[str, Any] = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8"], check=True, **said)
    options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "timezone=UTC", "-k", folder]
    server = subprocess.Popen([programs / "postgres", "-D", data, *options], **said)
    try:
        ready, deadline = [programs / "pg_isready", "-q", "-h", folder], time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None and time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        yield Postgres(folder)
    finally:
        server.terminate()
        server.wait(30)
