"""A database of others as `databases.opened` gives it, and what its kinds share."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import column, expression, literal, to_sql
from clv_helpers.engines.messages import without_values
from clv_helpers.errors import UserError

CONNECT_SECONDS = 10
SILENT_SECONDS = 600  # that a server may say nothing while a statement is on its way
CHUNK = 20_000  # rows at a time, where a driver gives rows
LISTED = """
    SELECT table_schema AS place, table_name AS name FROM information_schema.tables
    WHERE NOT LOWER(table_schema) IN ('information_schema', 'pg_catalog', 'mysql', 'performance_schema', 'sys')
    ORDER BY table_schema, table_name
"""


class DatabaseError(UserError):
    """A database that cannot be opened or asked, or that refuses a statement. Never with a password in it."""


class Database:
    """An open database. `place`: where the params name it, for messages; `dialect`: sqlglot's name for its SQL.

    Every method raises DatabaseError for what the database has against it, or where it went away.
    """

    dialect = ""
    errors: tuple[type[Exception], ...] = ()

    def __init__(self, place: str, silent: float = SILENT_SECONDS):
        self.place, self.silent = place, silent

    def rows(self, query: exp.Expr) -> list[dict[str, Any]]:
        """The rows of a small query; of MySQL and MariaDB their values as text."""
        raise NotImplementedError

    def run(self, statement: exp.Expr | str) -> None:
        """Execute a statement that gives no rows: a tree, or text in the database's own SQL."""
        raise NotImplementedError

    def spool(self, query: exp.Query, file: Path) -> int:
        """Write a query's rows to a Parquet file as they stream in, whatever their number; gives how many.

        Decimals are exact (as text), moments with a zone keep it, JSON is its text.
        """
        raise NotImplementedError

    def columns(self, source: exp.Expr) -> list[str]:
        """The names of the columns of a table or a subquery. Reads no rows."""
        raise NotImplementedError

    def load(self, name: str, columns: list[str], rows: Iterable[tuple[str | None, ...]]) -> None:
        """Add rows of text to a table whose columns are text: a temporary one, from which a statement casts."""
        raise NotImplementedError

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is run within, or nothing."""
        self._begin()
        try:
            yield
        except BaseException:
            with contextlib.suppress(DatabaseError):  # what went wrong is said, not that it cannot be undone any more
                self._end("ROLLBACK")
            raise
        self._end("COMMIT")

    def _begin(self) -> None:
        self.run("BEGIN")

    def _end(self, how: str) -> None:
        self.run(how)

    def tables(self) -> list[str]:
        """Its tables and views, as schema.table."""
        return [f"{row['place']}.{row['name']}" for row in self.rows(expression(LISTED))]

    def has_table(self, name: str) -> bool:
        """Whether there is a table of that name, with its schema or without."""
        return any(name in (found, found.split(".", 1)[-1]) for found in self.tables())

    def close(self) -> None:
        """Let go of it; what was not committed is undone."""

    def text_of(self, statement: exp.Expr | str) -> str:
        """A statement in the database's own SQL."""
        if isinstance(statement, str):
            return statement
        return statement.sql(self.dialect)

    @contextlib.contextmanager
    def _asked(self, sql: str = "") -> Iterator[None]:
        """What the driver says against a statement, as a sentence without a row's values."""
        try:
            yield
        except self.errors as error:
            raise DatabaseError(f"{self.place}: {self._reason(error, sql)}") from None

    def _reason(self, error: Exception, sql: str) -> str:
        return f"the database says: {without_values(error, sql)}"

    def _silent(self) -> str:
        said = f"the database has said nothing for {self.silent:,.0f} seconds"
        return f"{said}; nothing came of it: run again once it answers"


def refused(error: Exception, address: str) -> str:
    """Why a server did not let us in, in our words: its own may hold parts of the address."""
    found, text = urlsplit(address), str(error)
    host = found.hostname or dict(parse_qsl(found.query)).get("host", "localhost")
    where = f"{host}:{found.port}" if found.port else host
    user, database = unquote(found.username or ""), unquote(found.path.lstrip("/"))
    if re.search(r"password|access denied|authentication|no pg_hba", text, re.I):
        return f"{where} does not let {user or 'us'} in: the user, the password or the rights are not as there"
    if re.search(r"role .* does not exist", text):
        return f"{where} does not know the user {user}"
    if re.search(r"database .* does not exist|unknown database", text, re.I):
        return f"{where} has no database {database}"
    if re.search(r"host name|getaddrinfo|name or service", text, re.I):
        return f"there is no host of the name {where}"
    return f"{where} does not answer within {CONNECT_SECONDS} seconds; is it running, and reachable from here?"


def driver_of(module: str, extra: str, place: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DatabaseError(
            f"{place}: its driver is not installed; allowed: pip install 'clv-helpers[{extra}]', then again"
        ) from None


def file_of(place: str, address: str) -> Path:
    file = Path(address.split("://", 1)[1]).resolve()
    if not file.is_file():
        raise DatabaseError(f"{place}: {file} (no such file)")
    return file


def none_of(source: exp.Expr) -> exp.Expression:
    return expression("SELECT * FROM $source AS s LIMIT 0", source=source)


def to_parquet(connection: duckdb.DuckDBPyConnection, query: exp.Expr, file: Path) -> int:
    copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} (FORMAT parquet)"
    return connection.execute(copy).fetchall()[0][0]


def chunks(rows: Iterable[tuple[str | None, ...]]) -> Iterator[list[tuple[str | None, ...]]]:
    left = iter(rows)
    while chunk := list(itertools.islice(left, CHUNK)):
        yield chunk


def frame_of(names: list[str], columns: list[list[str | None]]) -> Any:
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in zip(names, columns, strict=True)})


def as_relation(connection: duckdb.DuckDBPyConnection, names: list[str], rows: list[tuple[str | None, ...]]) -> Any:
    """Rows of text as a relation of DuckDB, which gives them on as Arrow."""
    frame = frame_of(names, [list(values) for values in zip(*rows, strict=True)])
    texts = ", ".join(f"CAST({to_sql(column(name))} AS VARCHAR) AS {to_sql(column(name))}" for name in names)
    return connection.from_df(frame).project(texts)
