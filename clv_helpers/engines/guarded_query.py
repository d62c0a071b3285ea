"""SQL that is not ours: a single SELECT, run for at most so many rows and seconds, and explained where it fails."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from clv_helpers.engines.dialect import DIALECT, expression, syntax_error
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MAX_SECONDS = 30.0
MEMORY = "2GB"  # what a session of `Engine.read` is opened with for it
RETRY_SECONDS = 0.5  # between two queries of one answer, or while it is planned, there is nothing to interrupt
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
        statements = [statement for statement in sqlglot.parse(sql, read=DIALECT) if statement]
    except ParseError as error:
        raise QueryError(f"{where}, {syntax_error(error)}") from None
    except TokenError as error:
        raise QueryError(f"{where}: no SQL ({str(error).splitlines()[0]})") from None
    if len(statements) != 1:
        raise QueryError(f"{where}: it holds {len(statements)} statements; allowed: a single SELECT")
    (query,) = statements
    if not isinstance(query, exp.Query) or query.find(*WRITES):
        raise QueryError(f"{where}: it would change something; allowed: a single SELECT, which changes nothing")
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Func) and not isinstance(table.this, ROWS_FROM):
            name = (table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()).lower()
            allowed = "tables, and the functions range, generate_series and unnest"
            raise QueryError(f"{where}: rows cannot come from {name}(…); allowed: {allowed}")
    return query


def ask(session: Session, sql: str, where: str, rows: int, seconds: float = MAX_SECONDS) -> pd.DataFrame:
    """The first rows of one SELECT; `where` is where it stands, for messages.

    Raises QueryError for anything but a single SELECT, for SQL that fails, and for what takes longer.
    """
    query = expression("SELECT * FROM $answer AS answer LIMIT $rows", answer=parse_select(sql, where), rows=rows)
    try:
        with _stopped_after(seconds, session) as stopped:
            return session.frame(query)
    except KeyError as error:
        raise QueryError(f"{where}: ${error.args[0]} has no value here; allowed: values written out") from None
    except session.errors as error:
        reason = f"it took longer than {seconds:g} seconds and was stopped; ask for less, or allow more"
        line, why = (None, reason) if stopped.is_set() else session.explain(sql, error)
        raise QueryError(f"{where}{f', line {line}' if line else ''}: {why}") from None


@contextlib.contextmanager
def _stopped_after(seconds: float, session: Session) -> Iterator[threading.Event]:
    """Interrupt what runs in the session when the time is up, until it ends; the event says that it came to that."""
    stopped, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(RETRY_SECONDS if stopped.is_set() else seconds):
            stopped.set()
            session.interrupt()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield stopped
    finally:
        ended.set()
        thread.join()  # the next query finds the engine at rest
