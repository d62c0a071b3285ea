"""The columns of a table as an editor offers them: name, type in words, meaning, and a few values."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from clv_helpers.conditions import Attribute, kind_of
from clv_helpers.engines.dialect import column
from clv_helpers.engines.session import Session
from clv_helpers.models.table_file import SQL_FOLDER


def attributes(session: Session, source: exp.Expression, table: str = "") -> list[Attribute]:
    """The columns of a table or a query, in its order; what they mean stands in the header of the table's file."""
    header = header_of(table)
    return [Attribute(name, kind_of(kind), _about(header, name)) for name, kind in session.columns(source).items()]


def sample(session: Session, source: exp.Expression, rows: int = 5) -> list[dict[str, Any]]:
    """A few rows, as they come."""
    return session.rows(exp.select("*").from_(source).limit(rows))


def values(session: Session, source: exp.Expression, name: str, most: int = 60) -> list[Any]:
    """The values of a column, in order, for a filter to choose from."""
    query = exp.select(column(name)).distinct().from_(source).order_by(column(name)).limit(most)
    return [row[name] for row in session.rows(query) if row[name] is not None]


def header_of(table: str) -> str:
    """The comment at the top of a table's file; empty for what has no file."""
    file = SQL_FOLDER / f"{table.replace('.', '/')}.sql"
    if not table or not file.exists():
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))


def one_row(table: str) -> str:
    """What one row of a table is, in words."""
    match = re.search(r"One row: (.+?)(?= Key:|$)", header_of(table))
    return match[1].rstrip(".") if match else ""


def _about(header: str, name: str) -> str:
    """`name: meaning` or `name, other: meaning` in a header, up to the end of the sentence."""
    match = re.search(rf"(?:^|[.;] |, ){re.escape(name)}(?:, \w+)*: ([^.;]+)", header)
    return match[1].strip() if match else ""
