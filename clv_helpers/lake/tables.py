"""A table is a file: sql/<schema>/<table>.sql, built in the order that the SQL itself tells, then checked."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.engines.dialect import bind, column, parse, table
from clv_helpers.engines.duckdb import Session
from clv_helpers.workbook import Workbook

SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"


class TableError(RuntimeError):
    """A table that cannot be built, or that fails its check. The tables before the build stay."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class Table:
    """One file of sql/: its name, what one row is, the columns of its key, and its query."""

    name: str
    one_row: str
    key: tuple[str, ...]
    query: exp.Expression

    @property
    def depends_on(self) -> set[str]:
        """The tables that the query reads, its own CTEs left out."""
        ctes = {cte.alias for cte in self.query.find_all(exp.CTE)}
        found = self.query.find_all(exp.Table)
        return {f"{t.db}.{t.name}" for t in found if t.db or t.name not in ctes}


def read_table(file: Path) -> Table:
    """Read one table file. Raises TableError where its header or its SQL is wrong."""
    text = file.read_text(encoding="utf-8")
    name = f"{file.parent.name}.{file.stem}"
    header = dict(re.findall(r"^-- (One row|Key): (.+)$", text, flags=re.MULTILINE))
    if set(header) != {"One row", "Key"}:
        raise TableError(f"{file.name}: the header needs the lines '-- One row: …' and '-- Key: …'")
    try:
        query = parse(text)
    except ParseError as error:
        detail = error.errors[0]
        raise TableError(f"{file.name}, line {detail['line']}: {detail['description']}") from None
    return Table(name, header["One row"], tuple(re.split(r",\s*", header["Key"])), query)


def read_tables(*schemas: str) -> list[Table]:
    """The tables of these schemas in the order in which they can be built. Raises TableError on a cycle."""
    files = sorted(file for schema in schemas for file in (SQL_FOLDER / schema).glob("*.sql"))
    tables = {t.name: t for t in map(read_table, files)}
    sorter = TopologicalSorter({name: t.depends_on & tables.keys() for name, t in tables.items()})
    try:
        return [tables[name] for name in sorter.static_order()]
    except CycleError as error:
        raise TableError(f"these tables need each other in a circle: {' → '.join(error.args[1])}") from None


def build(workbook: Workbook, *schemas: str) -> list[dict[str, Any]]:
    """Build all tables of these schemas in one transaction, check their keys, and publish.

    Gives a row per table: table, one_row, rows, seconds. Cost: one pass of the engine over the day roll-up
    per table, whatever Python does; on an error the last published tables stay as they were.
    """
    with workbook.engine.write() as session:
        built = build_tables(session, workbook.bindings(session), *schemas)
    workbook.engine.publish()
    return built


def build_tables(session: Session, bindings: dict[str, Any], *schemas: str) -> list[dict[str, Any]]:
    """Build and check tables within the caller's transaction. Raises TableError."""
    built = []
    for each in read_tables(*schemas):
        started = time.perf_counter()
        rows = session.create_table(each.name, bind(each.query, bindings))
        _check_key(session, each)
        seconds = round(time.perf_counter() - started, 3)
        built.append({"table": each.name, "one_row": each.one_row, "rows": rows, "seconds": seconds})
    return built


def _check_key(session: Session, each: Table) -> None:
    keys = [column(name) for name in each.key]
    grouped = exp.select(*keys).from_(table(each.name)).group_by(*keys).having("COUNT(*) > 1")
    repeated = session.count(grouped.subquery("repeated"))
    empty = exp.or_(*(exp.Is(this=key, expression=exp.null()) for key in keys))
    nulls = session.count(exp.select("*").from_(table(each.name)).where(empty).subquery("empty"))
    if repeated or nulls:
        key = ", ".join(each.key)
        raise TableError(f"{each.name}: its key ({key}) repeats {repeated:,} times and is empty {nulls:,} times")
