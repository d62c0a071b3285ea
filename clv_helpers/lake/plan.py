"""Which tables a refresh builds, in which order, and what to say where one cannot be built."""

from __future__ import annotations

import difflib
import re
from typing import Any

from sqlglot import exp

from clv_helpers.contract import DATASETS, WRITTEN
from clv_helpers.engines.session import Session
from clv_helpers.lake.own_tables import SCHEMA as OWN_SCHEMA
from clv_helpers.lake.own_tables import read_own_tables
from clv_helpers.lake.tables import Table, TableError, in_order, read_schemas
from clv_helpers.workbook import Workbook

# Built from SQL and the params alone; those of lifetime and activation come with their stages.
PLAIN_SCHEMAS = ("derived", "profile", "audiences", "campaigns", "insights", "kpi")
LAKE = {f"lake.{name}" for name in DATASETS}
# The insights model and its key figures: what follows every stage.
MODEL = ("insights", "kpi")


def all_tables(workbook: Workbook, *schemas: str) -> list[Table]:
    """The tables of these schemas (of all, unless named), an analyst's own with insights, in the order of building.

    Raises TableError for a file that is no table, two tables of one name, or tables that need each other in a circle.
    """
    schemas = schemas or PLAIN_SCHEMAS
    tables = read_schemas(schemas)
    if OWN_SCHEMA in schemas:
        tables += read_own_tables(workbook.specs / "sql")
    return in_order(tables)


def planned(session: Session, workbook: Workbook, schemas: tuple[str, ...]) -> list[Table]:
    """The tables of a refresh: those of the schemas, and whatever they read and is not there yet.

    Raises TableError for a table that reads of one that nobody makes, with the file and the line.
    """
    everything = {name: each for each in all_tables(workbook, *PLAIN_SCHEMAS, *schemas) for name in each.makes}
    there = LAKE | WRITTEN.keys() | set(session.tables())
    known = there | everything.keys()
    wanted = [each for each in everything.values() if each.name.split(".")[0] in schemas]
    chosen: dict[str, Table] = {}
    while wanted:
        each = wanted.pop()
        if each.name in chosen:
            continue
        chosen[each.name] = each
        for name, mention in each.mentions:
            if isinstance(mention.this, exp.Identifier) and name not in known:
                raise TableError(_missing(each, name, mention.this.meta.get("line"), sorted(known)))
            if name in everything and name not in there:
                wanted.append(everything[name])
    return in_order(chosen.values())


def _missing(each: Table, name: str, line: int | None, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    schema = [other for other in known if other.split(".")[0] == name.split(".")[0]]
    allowed = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(schema or known)}"
    return f"{each.file.name}, line {line or 1}: there is no table {name}; {allowed}"


def check_names(each: Table, bindings: dict[str, Any]) -> None:
    """Raise TableError for a $name in the table's SQL that stands for nothing."""
    for node in [n for query in (each.query, *each.checks) for n in query.find_all(exp.Placeholder)]:
        if node.name not in bindings:
            known = ", ".join(sorted(f"${name}" for name in bindings))
            raise TableError(
                f"{each.file.name}, line {each.line_of(node.name)}: there is no ${node.name}; allowed: {known}"
            )


def sentence(each: Table, error: Exception) -> str:
    """What the engine has against a table's SQL, with the file and the line of the first name that it complains of."""
    lines = [line for line in str(error).split("\n") if line.strip()]
    message = re.sub(r"^\w+ Error: ", "", lines[0])
    hints = [line.strip() for line in lines[1:] if line.startswith(("Candidate", "Did you mean"))]
    words = re.findall(r"[\"']([\w.]+)[\"']|name (\w+)", message)
    word = next((quoted or named for quoted, named in words), "")
    return f"{each.file.name}, line {each.line_of(word) if word else 1}: {' '.join([message, *hints])}"


def drop_gone(session: Session, tables: list[Table], schemas: tuple[str, ...]) -> None:
    """Drop the analyst's tables whose files are gone; the days that were kept of them stay."""
    if OWN_SCHEMA not in schemas:
        return
    there = {each.name for each in tables}
    for row in session.rows("SELECT table_name FROM lake.checkpoint"):
        name = row["table_name"]
        if name.split(".")[0] == OWN_SCHEMA and name not in there:
            if session.has_table(name):
                session.drop(name)
            session.run("DELETE FROM lake.checkpoint WHERE table_name = $name", name=name)
