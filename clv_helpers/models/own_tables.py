"""An analyst's own tables: SQL files and CSV seeds in params/<workbook>/sql/, which extend the model or the profile."""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import replace
from pathlib import Path

from sqlglot import exp

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.same import Same
from clv_helpers.engines.dialect import cast, column, literal, mentions
from clv_helpers.engines.guarded_query import other_than_tables
from clv_helpers.models.table_file import Table, TableError, make_table, read_header, read_table

OWN_SCHEMA = "insights"
ATTRIBUTE_SCHEMA = "profile"  # of those with `-- Attribute of: customer`
BELOW = ("lake", "derived", "lifetime", ATTRIBUTE_SCHEMA)
MOST_SEED_ROWS = 2_000
FORMS = {
    "integer": r"-?(0|[1-9]\d{0,17})",
    "decimal": r"-?(0|[1-9]\d{0,13})(\.\d{1,4})?",
    "date": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
    "boolean": r"(?i)true|false",
}


def read_own_tables(folder: Path) -> list[Table]:
    """The tables of a folder, as tables of the schema insights; none where there is no such folder.

    Those that are `Attribute of: customer` are of the schema profile, and read what comes before it.

    Raises TableError for a file that is no table, with the file and the line.
    """
    tables = []
    for file in sorted(folder.glob("*")):
        if file.name.startswith(".") or file.suffix not in (".sql", ".csv"):
            continue
        if not re.fullmatch(r"[a-z][a-z0-9_]*", file.stem):
            raise TableError(f"{file.name} is no name of a table; allowed: small letters, digits and _")
        model = read_seed(file) if file.suffix == ".csv" else read_table(file, OWN_SCHEMA)
        _reads_tables_only(model)
        tables.append(_of_profile(Same(model)) if model.is_attribute else model)
    return tables


def own_attributes(folder: Path) -> list[str]:
    """The columns that an analyst's tables add to the profile. Raises TableError as read_own_tables does."""
    found = [model for model in read_own_tables(folder) if model.is_attribute]
    return [name for model in found for name in model.query.named_selects if name != PRIMARY_IDENTITY]


@functools.lru_cache(maxsize=50)
def _of_profile(read: Same[Table]) -> Table:
    """A table of attributes. Raises TableError where it reads what is made of the profile, or lists no columns."""
    model = read.thing
    for name, mention in model.mentions:
        if name.split(".")[0] not in BELOW:
            line, allowed = mention.this.meta.get("line") or 1, f"tables of {', '.join(BELOW)}, as it is of the profile"
            raise TableError(f"{model.file.name}, line {line}: it reads {name}; allowed: {allowed}")
    if "*" in model.query.named_selects:
        raise TableError(f"{model.file.name}: it selects *; allowed: each column by its name, as they join the profile")
    return replace(model, name=f"{ATTRIBUTE_SCHEMA}.{model.file.stem}")


def _reads_tables_only(model: Table) -> None:
    """Raise TableError for a file read in SQL: those come in as sources or seeds, so that the lineage knows of them."""
    for part in (model.query, *model.checks):
        found = other_than_tables(part)
        unnamed = [
            mention for _, mention in mentions(part) if not mention.db and not isinstance(mention.this, exp.Func)
        ]
        if found or unnamed:
            place = next(iter(unnamed or part.find_all(exp.Identifier)), part)
            line = next((n.meta["line"] for n in place.find_all(exp.Identifier) if "line" in n.meta), 1)
            what = found or f"it reads {unnamed[0].sql(comments=False)}"
            raise TableError(f"{model.file.name}, line {line}: {what}; tables are schema.table, as insights.dim_date")


def read_seed(file: Path) -> Table:
    """A CSV with a header row as a table, its rows in the query itself, so that a changed file is a changed table.

    Lines that begin with # may say `# One row: …`, `# Key: …` (otherwise the first column), `# Relation: …`. A column
    is of whole numbers, numbers, days or true and false where all its values are.
    Raises TableError for a file that is no such CSV, or has more than 2,000 rows: those come as a source.
    """
    return _read_seed(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=50)
def _read_seed(file: Path, _modified: int) -> Table:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise TableError(f"{file.name}: it is not text in UTF-8") from None
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    rows = list(csv.reader(line for _, line in lines))
    if len(rows) < 2 or len(set(rows[0])) < len(rows[0]) or not all(re.fullmatch(r"\w+", name) for name in rows[0]):
        raise TableError(f"{file.name}: a seed needs a line of column names, each once, and at least one row")
    if len(rows) - 1 > MOST_SEED_ROWS:
        raise TableError(
            f"{file.name}: it has {len(rows) - 1:,} rows; allowed: {MOST_SEED_ROWS:,}; more comes in as a source"
        )
    for (number, _), row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            raise TableError(f"{file.name}, line {number}: it has {len(row)} values; allowed: {len(rows[0])}")
    header = read_header(text, "#")
    header.setdefault("One row", [f"a row of {file.name}."])
    header.setdefault("Key", [rows[0][0]])
    return make_table(file, OWN_SCHEMA, header, _as_query(rows[0], rows[1:]))


def _as_query(names: list[str], rows: list[list[str]]) -> exp.Query:
    kinds = [_kind([value for value in values if value]) for values in zip(*rows, strict=True)]
    tuples = [exp.Tuple(expressions=[literal(value) if value else exp.null() for value in row]) for row in rows]
    values = exp.Values(expressions=tuples, alias=exp.TableAlias(this="seed", columns=[*map(exp.to_identifier, names)]))
    typed = [cast(column(name), kind).as_(name, quoted=True) for name, kind in zip(names, kinds, strict=True)]
    return exp.select(*typed).from_(values)


def _kind(values: list[str]) -> str:
    """The narrowest of the contract's types that all values have. 007 is a text: a code, not a number."""
    return next((kind for kind, form in FORMS.items() if values and all(re.fullmatch(form, v) for v in values)), "text")
