"""Which tables a refresh builds, in which order, and what to say where one cannot be built."""

from __future__ import annotations

import difflib
import re
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import DATASETS, WRITTEN
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session
from clv_helpers.models.own_tables import SCHEMA as OWN_SCHEMA
from clv_helpers.models.own_tables import read_own_tables
from clv_helpers.models.table_file import SCHEMAS, Table, TableError, in_order, read_schemas

# Built from SQL and the params alone; those of lifetime and activation come with their stages.
PLAIN_SCHEMAS = ("derived", "profile", "audiences", "campaigns", "insights", "kpi")
LAKE = {f"lake.{name}" for name in DATASETS}
# The insights model and its key figures: what follows every stage.
MODEL = ("insights", "kpi")
# Those that Python writes, and no table of sql/ reads as contract.WRITTEN.
BY_PYTHON = (
    "lake.batch_log", "lake.batches", "lake.checkpoint", "lake.rejected_rows", "lake.forecast_customer",
    "lifetime.calibration_score", "lifetime.forecast", "lifetime.forecast_outcome", "lifetime.run", "lifetime.score",
    "lifetime.week_forecast", "activation.ledger", "activation.part", "activation.plan", "campaigns.fact_effect",
    "campaigns.fact_effect_decile", "campaigns.fact_qini", "schedule.run", "schedule.state",
)  # fmt: skip


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
                raise TableError(_missing(each, name, mention, sorted(known)))
            if name in everything and name not in there:
                wanted.append(everything[name])
    return in_order(chosen.values())


def known_columns(workbook: Workbook) -> dict[str, list[str] | None]:
    """Every table that anything makes, with its columns; None where no SQL spells them.

    Raises TableError as all_tables does.
    """
    found: dict[str, list[str] | None] = dict.fromkeys((*sorted(LAKE), *BY_PYTHON))
    for each in all_tables(workbook, *SCHEMAS):
        found |= dict.fromkeys(each.makes) | {each.name: _spelt_columns(each)}
    return found | dict.fromkeys(WRITTEN)


def unknown_tables(workbook: Workbook) -> list[str]:
    """A sentence for each table that an analyst's own SQL reads and that nobody makes, with the file and the line."""
    known = known_columns(workbook)
    return [
        _missing(each, name, mention, sorted(known))
        for each in read_own_tables(workbook.specs / "sql")
        for name, mention in each.mentions
        if name not in known
    ]


def _spelt_columns(each: Table) -> list[str] | None:
    """The columns of a table that a refresh makes and whose SELECT names each of them."""
    if each.name.split(".")[0] not in (*PLAIN_SCHEMAS, "lake"):
        return None  # a stage may add to what its SQL says
    parts = each.query.selects
    listed = any(part.is_star or isinstance(part, exp.Placeholder) or not part.output_name for part in parts)
    return None if listed or not parts else [part.output_name for part in parts]


def _missing(each: Table, name: str, mention: exp.Table, known: list[str]) -> str:
    line = mention.this.meta.get("line")
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)  # the schema alone makes names look alike
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
