"""What a composer can choose from: the published tables, their columns with type and meaning, and a few values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from clv_helpers.engines.dialect import column, table
from clv_helpers.engines.session import Session
from clv_helpers.models.catalog import CHARTED
from clv_helpers.models.table_file import SQL_FOLDER

SCHEMAS = CHARTED
CUSTOMER = "customer_id"  # tables with a row per customer are no table of a chart
NUMBERS = ("INT", "DOUBLE", "DECIMAL", "FLOAT", "HUGE")


@dataclass(frozen=True)
class Attribute:
    """A column: its name, its type in words, and what it means, as far as the table's header says."""

    name: str
    kind: str
    about: str

    @property
    def is_measure(self) -> bool:
        """Whether it measures rather than tells groups apart."""
        told = self.name.startswith("decile") or self.name.endswith(("_order", "_months", "percent_of_customers"))
        return self.kind == "number" and not told


def tables(session: Session) -> list[str]:
    """The tables that charts can be made of: aggregates, no row per customer."""
    return [
        name
        for name in session.tables()
        if name.partition(".")[0] in SCHEMAS and not {CUSTOMER, "customer"} & set(session.columns(table(name)))
    ]


def attributes(session: Session, source: exp.Expression, name: str = "") -> list[Attribute]:
    """The columns of a table or a query, in its order."""
    header = header_of(name)
    return [Attribute(each, _kind(kind), _about(header, each)) for each, kind in session.columns(source).items()]


def sample(session: Session, source: exp.Expression, rows: int = 5) -> list[dict[str, Any]]:
    """A few rows, as they come."""
    return session.rows(exp.select("*").from_(source).limit(rows))


def values(session: Session, source: exp.Expression, name: str, most: int = 60) -> list[Any]:
    """The values of a column, in order, for a filter to choose from."""
    query = exp.select(column(name)).distinct().from_(source).order_by(column(name)).limit(most)
    return [row[name] for row in session.rows(query) if row[name] is not None]


def header_of(name: str) -> str:
    """What the table's file says at its top; empty for what has no file."""
    file = SQL_FOLDER / f"{name.replace('.', '/')}.sql"
    if not name or not file.exists():
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))


def one_row(name: str) -> str:
    """What one row of a table is, in words."""
    found = re.search(r"One row: (.+?)(?= Key:|$)", header_of(name))
    return found[1].rstrip(".") if found else ""


def _about(header: str, name: str) -> str:
    """`name: meaning` or `name, other: meaning` in a header, up to the end of the sentence."""
    found = re.search(rf"(?:^|[.;] |, ){re.escape(name)}(?:, \w+)*: ([^.;]+)", header)
    return found[1].strip() if found else ""


def _kind(engine_type: str) -> str:
    if any(part in engine_type for part in NUMBERS):
        return "number"
    return "date" if engine_type.startswith(("DATE", "TIMESTAMP")) else "text" if "CHAR" in engine_type else "other"


def _table(name: str) -> exp.Expression:
    from clv_helpers.engines.dialect import table

    return table(name)
