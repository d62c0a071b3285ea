"""SQL of one's own over the published tables: a single SELECT, read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.engines.dialect import DIALECT
from clv_helpers.errors import UserError
from clv_helpers.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 1_000


class QueryError(UserError):
    """A query that is not a single SELECT, or that the engine refuses."""


def query(workbook: Workbook, sql: str) -> pd.DataFrame:
    """The result of one SELECT over the published tables, at most 1,000 rows.

    Raises QueryError for anything but a single SELECT, and for SQL that fails, with the reason.
    """
    try:
        statements = sqlglot.parse(sql, dialect=DIALECT)
    except ParseError as error:
        detail = error.errors[0]
        raise QueryError(f"SQL, line {detail['line']}: {detail['description']}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryError("only a single SELECT can be run here: readers cannot change tables")
    limited = exp.select("*").from_(statements[0].subquery("answer")).limit(MAX_ROWS)
    with workbook.engine.read() as session:
        try:
            return session.frame(limited)
        except session.errors as error:
            raise QueryError(str(error).split("\n")[0]) from None
