"""Databases of others, by their address: what they hold, a query's rows as a Parquet file, and changes all or nothing.

PostgreSQL, Redshift and Snowflake by ADBC, whose Arrow goes straight into DuckDB; MySQL and MariaDB by PyMySQL; SQLite
by Python itself; a DuckDB file by DuckDB.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from clv_helpers.engines.adbc import Postgres, Snowflake
from clv_helpers.engines.database import SILENT_SECONDS, Database, DatabaseError
from clv_helpers.engines.database_kinds import DuckDb, MySql, Sqlite
from clv_helpers.engines.dialect import syntax_error
from clv_helpers.engines.guarded_query import WRITES

__all__ = ["ALLOWED", "FILES", "Database", "DatabaseError", "is_address", "one_select", "opened"]

ALLOWED = "postgresql://, redshift://, snowflake://, mysql://, mariadb://, sqlite:///file or duckdb:///file"
KINDS: dict[str, type[Any]] = {
    "postgresql": Postgres, "postgres": Postgres, "redshift": Postgres, "snowflake": Snowflake,
    "mysql": MySql, "mariadb": MySql, "sqlite": Sqlite, "duckdb": DuckDb,
}  # fmt: skip


FILES = ("sqlite", "duckdb")  # the kinds whose address is that of a file


def is_address(text: str) -> bool:
    """Whether a text is a database's address, as `postgresql://shop@db/orders` is, and no path."""
    return text.split("://")[0] in KINDS and "://" in text


@contextlib.contextmanager
def opened(address: str, place: str, writable: bool = False, silent: float = SILENT_SECONDS) -> Iterator[Database]:
    """A Database by its address, for as long as the block takes; `place` says where the address stands, for messages.

    Without `writable` the database itself refuses to change anything; `silent` is for how many seconds a server may
    say nothing. Raises DatabaseError, with one sentence and never
    the password, for an address of another kind, a server that does not answer and one that does not let us in.

    Example:
        >>> with opened("oracle://shop", "database"): pass
        Traceback (most recent call last):
        clv_helpers.engines.database.DatabaseError: database is of the kind oracle://; allowed: postgresql://...
    """
    if not is_address(address):
        found = f"{address.split('://')[0]}://" if "://" in address else "no address"
        raise DatabaseError(f"{place} is of the kind {found}; allowed: {ALLOWED}")
    kind = KINDS[address.split("://")[0]]
    with contextlib.closing(kind(place, _checked(address, place), writable, silent)) as database:
        yield database


def one_select(sql: str, dialect: str, where: str) -> exp.Query:
    """A query of others in their database's own SQL, as a tree. Raises DatabaseError for anything but one SELECT."""
    try:
        statements = [each for each in sqlglot.parse(sql, read=dialect) if each and not isinstance(each, exp.Semicolon)]
    except ParseError as error:
        raise DatabaseError(f"{where}, {syntax_error(error)}") from None
    except TokenError as error:
        raise DatabaseError(f"{where}: no SQL ({str(error).splitlines()[0]})") from None
    if len(statements) != 1:
        raise DatabaseError(f"{where}: it holds {len(statements)} statements; allowed: a single SELECT")
    query = statements[0]
    if not isinstance(query, exp.Query) or query.find(*WRITES) or query.find(exp.Lock):
        raise DatabaseError(f"{where}: it would change or lock something; allowed: a single SELECT")
    return query


def _checked(address: str, place: str) -> str:
    """An address that can be taken apart in one way only: a password with signs of its own is written as %40 and so."""
    if address.split("://")[0] in FILES:
        return address
    try:
        authority = urlsplit(address).netloc
        fine = authority.count("@") <= 1 and (urlsplit(address).port or True)
    except ValueError:
        fine = False
    if not fine:
        raise DatabaseError(
            f"{place} cannot be taken apart; allowed: kind://user:password@host:port/database, where the signs "
            "@ : / ? # % of a password are written as %40 %3A %2F %3F %23 %25"
        )
    return address
