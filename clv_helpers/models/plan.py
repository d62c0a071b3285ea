"""Which tables a refresh builds, in which order, and what to say where one cannot be built."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection

from sqlglot import exp

from clv_helpers.config.params import Params
from clv_helpers.config.same import Same
from clv_helpers.config.tables import ALWAYS_THERE, SCHEMAS
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.messages import without_values
from clv_helpers.engines.session import Session
from clv_helpers.models.generated import generated_tables
from clv_helpers.models.own_tables import ATTRIBUTE_SCHEMA, OWN_SCHEMA, read_own_tables
from clv_helpers.models.rank_tables import RANK_SCHEMA, with_places
from clv_helpers.models.table_file import Table, TableError, in_order, read_schemas

# Built from SQL and the params alone; those of other schemas come with their stages.
REFRESHED = tuple(schema.name for schema in SCHEMAS.values() if schema.refreshed)
# The star model and its key figures: what follows every stage.
MODEL = ("insights", "kpi")


def all_tables(workbook: Workbook, *schemas: str) -> list[Table]:
    """The tables of these schemas (of all that a refresh builds, unless named), in the order of building.

    An analyst's own come with the schema insights, or profile; what is made from the params stands in the place of the
    file of its name.
    Raises TableError for a file that is no table, two tables of one name, or tables that need each other in a circle.

    Example:
        >>> models.all_tables(wb, "kpi")[0].key
        ('audience',)
    """
    schemas = schemas or REFRESHED
    files, own = read_schemas(schemas), read_own_tables(workbook.specs / "sql")
    return list(_assembled(Same(workbook.params), schemas, tuple(map(Same, files)), tuple(map(Same, own))))


@functools.lru_cache(maxsize=20)  # a stream asks for the same ones with each event
def _assembled(
    params: Same[Params], schemas: tuple[str, ...], files: tuple[Same[Table], ...], own: tuple[Same[Table], ...]
) -> list[Table]:
    ours = [each.thing for each in own]
    generated = generated_tables(params.thing, ours)
    names = {table.name for table in generated}
    tables = [with_places(file.thing, generated) for file in files if file.thing.name not in names]
    return in_order(tables + [table for table in ours + generated if table.schema in schemas])


def planned(there: Collection[str], workbook: Workbook, schemas: tuple[str, ...]) -> list[Table]:
    """The tables of a refresh: those of the schemas, and whatever they read and is not among those that are there.

    Raises TableError for a table that reads of one that nobody makes, with the file and the line.
    """
    everything = {name: model for model in all_tables(workbook, *REFRESHED, *schemas) for name in model.makes}
    there = {f"lake.{name}" for name in workbook.params.datasets} | ALWAYS_THERE.keys() | set(there)
    known = there | everything.keys()
    wanted = [model for model in everything.values() if model.schema in schemas]
    chosen: dict[str, Table] = {}
    while wanted:
        model = wanted.pop()
        if model.name in chosen:
            continue
        chosen[model.name] = model
        for name, mention in model.mentions:
            if isinstance(mention.this, exp.Identifier) and name not in known:
                raise TableError(unknown_table(model, name, mention, sorted(known)))
            if name in everything and name not in there:
                wanted.append(everything[name])
    return in_order(chosen.values())


def unknown_table(model: Table, name: str, mention: exp.Table, known: list[str]) -> str:
    """That a table's SQL reads one that nobody makes, with the file, the line, and what is near."""
    line = mention.this.meta.get("line")
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)  # the schema alone makes names look alike
    schema = [other for other in known if other.split(".")[0] == name.split(".")[0]]
    allowed = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(schema or known)}"
    return f"{model.file.name}, line {line or 1}: there is no table {name}; {allowed}"


def engine_error(model: Table, error: Exception) -> str:
    """What the engine has against a table's SQL, with the file and the line of the first name that it complains of."""
    lines = [line for line in str(error).split("\n") if line.strip()]
    message = without_values(error, model.query.sql())
    hints = [line.strip() for line in lines[1:] if line.startswith(("Candidate", "Did you mean"))]
    words = re.findall(r"[\"']([\w.]+)[\"']|name (\w+)", message)
    word = next((quoted or named for quoted, named in words), "")
    return f"{model.file.name}, line {model.line_of(word) if word else 1}: {' '.join([message, *hints])}"


def drop_removed(session: Session, tables: list[Table], schemas: tuple[str, ...]) -> None:
    """Drop the analyst's tables whose files are gone, and what the params make no more; days that were kept stay."""
    theirs = {OWN_SCHEMA, ATTRIBUTE_SCHEMA, RANK_SCHEMA} & set(schemas)
    known = {model.name for model in tables}
    for row in session.rows("SELECT table_name FROM lake.checkpoint"):
        name = row["table_name"]
        if name.split(".")[0] in theirs and name not in known:
            if session.has_table(name):
                session.drop(name)
            session.run("DELETE FROM lake.checkpoint WHERE table_name = $name", name=name)
