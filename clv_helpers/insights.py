"""Stage 2: the star model over the derived tables, and read-only SQL on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers import show
from clv_helpers.engines.dialect import DIALECT
from clv_helpers.errors import UserError
from clv_helpers.show import Shown
from clv_helpers.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 1_000


class QueryError(UserError):
    """A query that is not a single SELECT, or that the engine refuses."""


def model(built: list[dict[str, Any]]) -> Shown:
    """The tables of a build: what one row is, how many there are, and how long they took."""
    return show.table(built, table="Table", one_row="One row is", rows="Rows|,.0f", seconds="Seconds|.2f")


def query(workbook: Workbook, sql: str) -> pd.DataFrame:
    """The result of one SELECT over the published tables, at most 1,000 rows.

    Raises QueryError for anything but a single SELECT, and for SQL that fails, with the reason.
    """
    import duckdb

    try:
        statements = sqlglot.parse(sql, dialect=DIALECT)
    except ParseError as error:
        detail = error.errors[0]
        raise QueryError(f"SQL, line {detail['line']}: {detail['description']}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryError("only a single SELECT can be run here: readers cannot change tables")
    limited = exp.select("*").from_(statements[0].subquery("answer")).limit(MAX_ROWS)
    try:
        with workbook.engine.read() as session:
            return session.frame(limited)
    except duckdb.Error as error:
        raise QueryError(str(error).split("\n")[0]) from None


def trend(workbook: Workbook) -> Shown:
    """A sentence on the last twelve whole months against the twelve before."""
    months = workbook.query("insights.fact_value_by_month", order_by="month", loyalty_status="ALL")
    if len(months) < 24:
        return show.note(f"There are {len(months)} whole months so far; a year-on-year comparison needs 24.")
    before, after = (float(part["spend"].sum()) for part in (months[-24:-12], months[-12:]))
    change = after / before - 1
    word = "more" if change >= 0 else "less"
    return show.finding(
        f"The last twelve whole months brought {show.compact(after)} {workbook.params.spending.unit}, "
        f"{abs(change):.0%} {word} than the twelve before."
    )
