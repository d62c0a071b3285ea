"""The columns of a table as an editor offers them: name, type in words, meaning, and a few values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from clv_helpers.engines.dialect import column
from clv_helpers.engines.session import Session
from clv_helpers.models.table_file import SQL_FOLDER

# How an engine's types begin; whatever else ends with INT is an integer.
KINDS = {
    "VARCHAR": "text", "STRING": "text", "DECIMAL": "number", "DOUBLE": "number", "FLOAT": "number",
    "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp",
}  # fmt: skip


@dataclass(frozen=True)
class Attribute:
    """A column: its name, what it means, and its kind: text, integer, number, boolean, date, timestamp or other."""

    name: str
    kind: str
    about: str

    @property
    def is_date(self) -> bool:
        """Whether it can be asked for a time."""
        return self.kind in ("date", "timestamp")

    @property
    def is_number(self) -> bool:
        return self.kind in ("integer", "number")

    @property
    def is_measure(self) -> bool:
        """Whether it measures rather than distinguishes groups."""
        groups = self.name.startswith("decile") or self.name.endswith(("_order", "_months", "percent_of_customers"))
        return self.is_number and not groups


def kind_of(engine_type: str) -> str:
    """An engine's type in one word: `DECIMAL(18, 2)` is a number."""
    name = engine_type.upper()
    for beginning, kind in KINDS.items():
        if name.startswith(beginning):
            return kind
    return "integer" if name.endswith("INT") or name.startswith("INT") else "other"


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
