"""SQL that is not ours: a single SELECT over tables, or a sentence on what it is instead."""

from __future__ import annotations

import functools

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from clv_helpers.engines.dialect import DIALECT, syntax_error
from clv_helpers.errors import UserError

BEGINNINGS = {"SELECT", "WITH", "FROM", "("}
ROWS_FROM = (exp.GenerateSeries, exp.Unnest)  # the functions that may stand where a table stands: they read nothing
WRITES = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Pragma, exp.Set, exp.Copy, exp.Attach, exp.Use)


class QueryError(UserError):
    """A query that is not a single SELECT, that the engine refuses, or that takes too much."""


@functools.lru_cache(maxsize=100)
def parse_select(sql: str, where: str = "SQL") -> exp.Query:
    """One SELECT as a tree. Raises QueryError for anything else, and for functions that read more than tables."""
    try:
        tokens = sqlglot.tokenize(sql, read=DIALECT)
        if not tokens or tokens[0].text.upper() not in BEGINNINGS:
            beginning = tokens[0].text.upper() if tokens else "nothing"
            raise QueryError(f"{where}: it begins with {beginning}; allowed: a single SELECT, which changes nothing")
        statements = [each for each in sqlglot.parse(sql, read=DIALECT) if each]
    except ParseError as error:
        raise QueryError(f"{where}, {syntax_error(error)}") from None
    except TokenError as error:
        raise QueryError(f"{where}: no SQL ({str(error).splitlines()[0]})") from None
    if len(statements) != 1:
        raise QueryError(f"{where}: it holds {len(statements)} statements; allowed: a single SELECT")
    if not isinstance(statements[0], exp.Query) or statements[0].find(*WRITES):
        raise QueryError(f"{where}: it would change something; allowed: a single SELECT, which changes nothing")
    for table in statements[0].find_all(exp.Table):
        if isinstance(table.this, exp.Func) and not isinstance(table.this, ROWS_FROM):
            name = (table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()).lower()
            allowed = "tables, and the functions range, generate_series and unnest"
            raise QueryError(f"{where}: rows cannot come from {name}(…); allowed: {allowed}")
    return statements[0]
