"""`clv new` from a database: one table, guessed from its first rows as a file is, and written as the key `from`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from sqlglot import exp

from clv_helpers.config.params import expand
from clv_helpers.engines.databases import ALLOWED, is_address, opened
from clv_helpers.engines.dialect import table as named
from clv_helpers.run.new import draft, sample
from clv_helpers.run.new.draft import Draft
from clv_helpers.run.new.sample import NewWorkbookError, Sample

ROWS = 10_000
SHOWN = 30  # tables, where there are more
KEYS = ("event_id", "line_id", "order_line_id", "order_item_id", "id", "uuid")
MOMENTS = ("updated_at", "modified_at", "changed_at", "last_modified", "created_at", "inserted_at")
OVERLAP = "2 days"


def is_database(source: str) -> bool:
    """Whether what a workbook is to be made from is a database's address, perhaps in an environment variable."""
    return is_address(_expanded(source))


@contextmanager
def reading(file: Path, source: str, table: str) -> Iterator[Draft]:
    """The draft of a workbook from a table of a database, as long as its first 10,000 rows are at hand.

    Raises DatabaseError; NewWorkbookError where no table is named and there are several, with their names.
    """
    address = _expanded(source)
    written = _without_password(source, address)
    with opened(address, "--from") as database, TemporaryDirectory(prefix="clv_new_") as folder:
        chosen = table or _only(database.tables())
        rows = Path(folder) / f"{chosen.replace('/', '_')}.parquet"
        if not database.spool(exp.select("*").from_(named(chosen)).limit(ROWS), rows):
            raise NewWorkbookError(f"{chosen} has no rows; allowed: a table with the purchases, by --table")
        with sample.read(rows) as samples:
            made = draft.draft(file, rows, samples)
            place: dict[str, Any] = {"database": written, "table": chosen}
            yield replace(_with_key(made, samples[0], place), database=place)


def _expanded(source: str) -> str:
    try:
        return expand(source)
    except KeyError as error:
        raise NewWorkbookError(f"--from is {source!r}; the environment variable {error.args[0]} is not set") from None


def _without_password(source: str, address: str) -> str:
    """How the params name the database: a password stays in the environment variable that has it."""
    if source != address or not urlsplit(address).password:
        return source
    variable = next((name for name, value in os.environ.items() if value == address), "")
    if not variable:
        raise NewWorkbookError(
            "--from has a password, which stays out of params; allowed: an environment variable with the address, "
            "and --from '${SHOP_DSN}'"
        )
    return f"${{{variable}}}"


def _only(tables: list[str]) -> str:
    if len(tables) == 1:
        return tables[0]
    listed = ", ".join(tables[:SHOWN]) + (f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else "")
    raise NewWorkbookError(
        f"the database has {len(tables)} tables: {listed}; allowed: --table with the one of the purchases"
        if tables
        else f"the database has no tables; allowed: another one, as {ALLOWED}"
    )


def _with_key(made: Draft, rows: Sample, place: dict[str, Any]) -> Draft:
    """The same with a key of its rows, and the column that tells what is new, as far as the names and values say."""
    whole = [header for header in rows.headers if rows.counts[header][0] == rows.rows]
    keys = [each for each in whole if each.lower() in KEYS and rows.counts[each][1] == rows.rows]
    moments = sorted((each for each in whole if each.lower() in MOMENTS), key=lambda each: MOMENTS.index(each.lower()))
    when = made.purchases.get("columns", {}).get("occurred_at")
    cursor = next(iter(moments), when if when in whole else "")
    if keys:
        made = made.with_changes({"sources.purchases.columns.event_id": keys[0]})
    if cursor:
        place |= {"cursor": cursor} | ({"overlap": OVERLAP} if keys else {})
    return made


def as_written(made: Draft) -> Draft:
    """The draft as it goes into the params: the database in the place of the file that was read."""
    if not made.database:
        return made
    source = {("from" if key == "path" else key): value for key, value in made.purchases.items()}
    return made.with_changes({"sources.purchases": source | {"from": made.database}})
