"""SQL that is not ours: a single SELECT, run for at most so many rows and seconds, and explained where it fails."""

from __future__ import annotations

import contextlib
import functools
import re
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
LOOKS = (exp.Summarize, exp.Describe, exp.Show)  # at a file, too, where that is named
# What may stand after FROM or JOIN; Table and Lateral are looked into.
RELATIONS = (exp.Table, exp.Lateral, exp.Subquery, exp.Values, exp.Query, exp.Pivot, *ROWS_FROM)
# Functions that tell of the machine or the session, wait, write, or say a value in an error. All others compute.
TELLING = re.compile(
    r"get(env|variable)|current_(setting|query|query_id|connection_id|transaction_id|database|catalog|schemas?|user|role)"
    r"|(session_)?user|(current_)?version|error|write_log|sleep_ms|nextval|currval|setseed|stats|in_search_path|get_block_size"
    r"|(pg|has|inet|json_(de)?serialize|json_execute|duckdb|read|parse_duckdb|txid)_.*|.*_description|query(_table)?|glob"
    r"|raise_error|assert_true|reflect|java_method|try_reflect|input_file_.*|spark_partition_id"
)

OF_THE_ENGINE = re.compile(r"(pg_catalog|system|temp)\.|(main)?\.(duckdb|pragma|sqlite|pg)_", re.I)


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
    if found := other_than_tables(query):
        raise QueryError(f"{where}: {found}")
    return query


def other_than_tables(tree: exp.Expr) -> str:
    """Why a piece of SQL of others may not run: what it reads beside tables. Empty: it reads tables alone.

    An allow-list of what rows may come from, and of names; functions compute, but for those that `TELLING` names.
    """
    for node in tree.walk():
        if isinstance(node, (*WRITES, *LOOKS)):
            return f"{_shown(node)} is no part of a SELECT; allowed: SELECT on tables"
        if isinstance(node, exp.From | exp.Join | exp.Lateral) and not isinstance(node.this, RELATIONS):
            return _refusal(node.this)
        if isinstance(node, exp.Table) and not (isinstance(node.this, ROWS_FROM) or _is_plain(node)):
            return _refusal(node.this if isinstance(node.this, exp.Func) else node)
        if isinstance(node, exp.Func) and TELLING.fullmatch(_function(node)):
            return f"{_function(node)}(…) is not allowed; allowed: functions that compute from the columns"
    return ""


def _is_plain(table: exp.Table) -> bool:
    """Whether a table is named as schema.table, in letters, digits and _; what a placeholder stands for is ours."""
    parts = [part for part in (table.this, table.args.get("db")) if part is not None]
    names = all(
        isinstance(part, exp.Placeholder) or (isinstance(part, exp.Identifier) and re.fullmatch(r"\w+", part.name))
        for part in parts
    )
    return names and not table.args.get("catalog") and not OF_THE_ENGINE.match(f"{table.db}.{table.name}")


def _refusal(source: exp.Expr) -> str:
    allowed = "tables, and the functions range, generate_series and unnest"
    return f"rows cannot come from {_shown(source)}; allowed: {allowed}"


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Func):
        return f"{_function(node)}(…)"
    text = " ".join(node.sql(DIALECT, comments=False).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _function(node: exp.Func) -> str:
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def ask(session: Session, sql: str, where: str, rows: int, seconds: float = MAX_SECONDS) -> pd.DataFrame:
    """The first rows of one SELECT; `where` is where it stands, for messages.

    Raises QueryError for anything but a single SELECT, for SQL that fails, and for what takes longer.
    """
    query = expression("SELECT * FROM $answer AS answer LIMIT $rows", answer=parse_select(sql, where), rows=rows)
    with limited(session, sql, where, seconds):
        return session.frame(query)


@contextlib.contextmanager
def limited(session: Session, sql: str, where: str, seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Run SQL of others inside: stopped when the time is up; QueryError says where and why, without a row's value."""
    session.make_ready(sql)
    try:
        with _stopped_after(seconds, session) as stopped:
            yield
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
