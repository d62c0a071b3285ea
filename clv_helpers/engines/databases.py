"""Databases of others, by their address: what they hold, a query's rows as a Parquet file, and changes all or nothing.

PostgreSQL and Redshift by ADBC, whose Arrow goes straight into DuckDB; MySQL and MariaDB by PyMySQL; SQLite by Python
itself; a DuckDB file by DuckDB. Drivers are imported where an address of their kind is opened.
"""

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
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from clv_helpers.engines.dialect import column, expression, literal, syntax_error, table, to_sql
from clv_helpers.engines.guarded_query import WRITES
from clv_helpers.engines.messages import without_values
from clv_helpers.errors import UserError

CONNECT_SECONDS = 10
CHUNK = 20_000  # rows at a time, where a driver gives rows
LISTED = """
    SELECT table_schema AS place, table_name AS name FROM information_schema.tables
    WHERE NOT table_schema IN ('information_schema', 'pg_catalog', 'mysql', 'performance_schema', 'sys')
    ORDER BY table_schema, table_name
"""
ALLOWED = "postgresql://, redshift://, mysql://, mariadb://, sqlite:///file or duckdb:///file"


class DatabaseError(UserError):
    """A database that cannot be opened or asked, or that refuses a statement. Never with a password in it."""


class Database:
    """An open database. `place`: where the params name it, for messages; `dialect`: sqlglot's name for its SQL.

    Every method raises DatabaseError for what the database has against it, or where it went away.
    """

    dialect = ""
    errors: tuple[type[Exception], ...] = ()

    def __init__(self, place: str):
        self.place = place

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


class Postgres(Database):
    """PostgreSQL, and what speaks like it."""

    dialect = "postgres"
    # What Arrow has a type for as it is; all others are asked for as text, and money, which comes in cents, as numeric.
    AS_IS = re.compile(
        r"bigint|integer|smallint|numeric|text|character( varying)?|name|boolean|double precision|real|date|jsonb?|uuid"
        r"|timestamp with(out)? time zone|time without time zone"
    )
    TYPES = "SELECT $types FROM (SELECT 1 AS one) AS one LEFT JOIN (SELECT * FROM $source AS s LIMIT 0) AS q ON TRUE"

    def __init__(self, place: str, address: str, writable: bool):
        super().__init__(place)
        manager = _driver("adbc_driver_manager", "postgres", place)
        driver = _driver("adbc_driver_postgresql", "postgres", place)
        self.manager, self.errors = manager, (manager.Error, duckdb.Error)
        scheme, rest = address.split("://", 1)
        if scheme == "redshift":
            self.dialect = "redshift"
        timed = "" if "connect_timeout=" in rest else f"{'&' if '?' in rest else '?'}connect_timeout={CONNECT_SECONDS}"
        with contextlib.ExitStack() as stack:
            try:
                self.database = stack.enter_context(driver.connect(f"postgresql://{rest}{timed}"))
                self.connection = stack.enter_context(manager.AdbcConnection(self.database))
            except manager.Error as error:
                raise DatabaseError(f"{place}: {_refused(error, address)}") from None
            self.stack = stack.pop_all()
        self.buffer = duckdb.connect()
        if not writable and self.dialect == "postgres":
            self.run("SET default_transaction_read_only = on")

    def close(self) -> None:
        self.buffer.close()
        with contextlib.suppress(self.manager.Error):
            self.stack.close()

    @contextlib.contextmanager
    def _stream(self, sql: str) -> Iterator[None]:
        """The rows of a query as the table `incoming` of our own DuckDB."""
        with self._asked(sql), contextlib.closing(self.manager.AdbcStatement(self.connection)) as statement:
            statement.set_sql_query(sql)
            stream, _ = statement.execute_query()
            self.buffer.register("incoming", stream)
            try:
                yield
            finally:
                self.buffer.unregister("incoming")

    def rows(self, query: exp.Expr) -> list[dict[str, Any]]:
        with self._stream(self.text_of(query)):
            found = self.buffer.execute("SELECT * FROM incoming")
            names = [each[0] for each in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def run(self, statement: exp.Expr | str) -> None:
        sql = self.text_of(statement)
        with self._asked(sql), contextlib.closing(self.manager.AdbcStatement(self.connection)) as prepared:
            prepared.set_sql_query(sql)
            prepared.execute_update()

    def _begin(self) -> None:
        with self._asked():
            self.connection.set_autocommit(False)

    def _end(self, how: str) -> None:
        with self._asked():
            (self.connection.commit if how == "COMMIT" else self.connection.rollback)()
            self.connection.set_autocommit(True)

    def columns(self, source: exp.Expr) -> list[str]:
        with self._stream(self.text_of(_none_of(source))):
            return list(self.buffer.sql("SELECT * FROM incoming").columns)

    def spool(self, query: exp.Query, file: Path) -> int:
        with self._stream(self.text_of(self._readable(query))):
            return _to_parquet(self.buffer, expression("SELECT * FROM incoming"), file)

    def _readable(self, query: exp.Query) -> exp.Query:
        """A query whose columns are all of types that arrive as they are."""
        if self.dialect != "postgres":
            return query
        names, source = self.columns(query.subquery("s")), query.subquery()
        kinds = [expression("CAST(PG_TYPEOF($c) AS TEXT)", c=exp.column(name, "q", quoted=True)) for name in names]
        types = [kind.as_(f"c{place}") for place, kind in enumerate(kinds)]
        (found,) = self.rows(expression(self.TYPES, types=types, source=source))
        of = {name: found[f"c{place}"] for place, name in enumerate(names)}
        if all(self.AS_IS.fullmatch(kind) for kind in of.values()):
            return query
        taken = [self._taken(name, kind).as_(name, quoted=True) for name, kind in of.items()]
        return exp.select(*taken).from_(query.subquery("q"))

    def _taken(self, name: str, kind: str) -> exp.Expr:
        if self.AS_IS.fullmatch(kind):
            return column(name)
        return exp.cast(column(name), "DECIMAL" if kind == "money" else "TEXT")

    def load(self, name: str, columns: list[str], rows: Iterable[tuple[str | None, ...]]) -> None:
        with self._asked():
            for chunk in _chunks(rows):
                with contextlib.closing(self.manager.AdbcStatement(self.connection)) as statement:
                    schema, _, bare = name.rpartition(".")
                    target = {"adbc.ingest.target_table": bare, "adbc.ingest.mode": "adbc.ingest.mode.append"}
                    place = {"adbc.ingest.target_db_schema": schema} if schema else {"adbc.ingest.temporary": "true"}
                    statement.set_options(**target, **place)
                    statement.bind_stream(_as_relation(self.buffer, columns, chunk))
                    statement.execute_update()

    def _reason(self, error: Exception, sql: str) -> str:
        text = str(error)
        if re.search(r"connection|server closed|terminating|no COPY data|SSL SYSCALL", text, re.I):
            return "the database went away in the middle; nothing came of it: run again once it answers"
        said = re.search(r"ERROR:\s*([^\n]*)", text)
        return super()._reason(RuntimeError(said[1]) if said else error, sql)


class Rows(Database):
    """A database whose driver gives rows (PEP 249): they come as text, which is exact."""

    connection: Any

    def _cursor(self) -> Any:
        return self.connection.cursor()

    def rows(self, query: exp.Expr) -> list[dict[str, Any]]:
        sql = self.text_of(query)
        with self._asked(sql), contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute(sql)
            names = [each[0] for each in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def run(self, statement: exp.Expr | str) -> None:
        sql = self.text_of(statement)
        with self._asked(sql), contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute(sql)

    def columns(self, source: exp.Expr) -> list[str]:
        sql = self.text_of(_none_of(source))
        with self._asked(sql), contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute(sql)
            return [each[0] for each in cursor.description]

    def spool(self, query: exp.Query, file: Path) -> int:
        sql = self.text_of(query)
        with self._asked(sql), contextlib.closing(self._cursor()) as cursor, duckdb.connect() as buffer:
            # its rows are more than memory may hold: they go to the disk beside the file
            buffer.execute(f"ATTACH {to_sql(literal(f'{file}.rows'))} AS rows")
            cursor.execute(sql)
            names = [each[0] for each in cursor.description]
            texts = ", ".join(f"{to_sql(column(name))} VARCHAR" for name in names)
            buffer.execute(f"CREATE TABLE rows.incoming ({texts})")
            for chunk in iter(lambda: cursor.fetchmany(CHUNK), ()):
                if not chunk:
                    break
                buffer.register("chunk", _frame(names, self._texts(chunk, [each[1] for each in cursor.description])))
                buffer.execute("INSERT INTO rows.incoming SELECT * FROM chunk")
                buffer.unregister("chunk")
            count = _to_parquet(buffer, expression("SELECT * FROM rows.incoming"), file)
        Path(f"{file}.rows").unlink(missing_ok=True)
        return count

    def _texts(self, rows: Iterable[tuple[Any, ...]], _kinds: list[Any]) -> list[list[str | None]]:
        """Rows as they come, as columns of text."""
        return [[_text(value) for value in values] for values in zip(*rows, strict=True)]


class MySql(Rows):
    """MySQL and MariaDB. A `timestamp` of theirs is a moment, and comes with its offset; a `datetime` has no zone."""

    dialect = "mysql"
    MOMENT = 7  # the type code of a TIMESTAMP

    def __init__(self, place: str, address: str, writable: bool):
        super().__init__(place)
        pymysql = _driver("pymysql", "mysql", place)
        self.errors = (pymysql.Error,)
        self.streaming = importlib.import_module("pymysql.cursors").SSCursor
        found = urlsplit(address)
        options = dict(parse_qsl(found.query))
        said: dict[str, Any] = {"unix_socket": options.get("unix_socket"), "ssl_ca": options.get("ssl_ca")}
        try:
            self.connection = pymysql.connect(
                host=found.hostname or "localhost", port=found.port or 3306, user=unquote(found.username or "") or None,
                password=unquote(found.password or ""), database=unquote(found.path.lstrip("/")), charset="utf8mb4",
                connect_timeout=CONNECT_SECONDS, autocommit=True,
                conv=dict(pymysql.converters.encoders),  # of no decoders: what comes is text as it stands
                **{key: value for key, value in said.items() if value},
            )  # fmt: skip
        except pymysql.Error as error:
            raise DatabaseError(f"{place}: {_refused(error, address)}") from None
        self.run("SET time_zone = '+00:00'")
        if not writable:
            self.run("SET SESSION TRANSACTION READ ONLY")

    def close(self) -> None:
        self.connection._force_close()  # without reading to its end a result that nobody wants any more

    def _cursor(self) -> Any:
        return self.connection.cursor(self.streaming)

    def _texts(self, rows: Iterable[tuple[Any, ...]], _kinds: list[Any]) -> list[list[str | None]]:
        columns = super()._texts(rows, _kinds)
        for place, kind in enumerate(_kinds):
            if kind == self.MOMENT:
                columns[place] = [value and f"{value}+00:00" for value in columns[place]]
        return columns

    def load(self, name: str, columns: list[str], rows: Iterable[tuple[str | None, ...]]) -> None:
        listed = ", ".join(column(each).sql("mysql") for each in columns)
        sql = f"INSERT INTO {table(name).sql('mysql')} ({listed}) VALUES ({', '.join(['%s'] * len(columns))})"
        with self._asked(sql), contextlib.closing(self.connection.cursor()) as cursor:
            for chunk in _chunks(rows):
                cursor.executemany(sql, chunk)

    def _reason(self, error: Exception, sql: str) -> str:
        if error.args and error.args[0] in (2006, 2013, 2014, 1053, 1927, 0):
            return "the database went away in the middle; nothing came of it: run again once it answers"
        return super()._reason(RuntimeError(str(error.args[-1]).replace("doesn't", "does not")), sql)


class Sqlite(Rows):
    """An SQLite file."""

    dialect = "sqlite"

    def __init__(self, place: str, address: str, writable: bool):
        import sqlite3

        super().__init__(place)
        self.errors = (sqlite3.Error,)
        file = _file_of(place, address)
        with self._asked():
            self.connection = sqlite3.connect(
                f"{file.as_uri()}?mode={'rw' if writable else 'ro'}", uri=True, isolation_level=None, timeout=30
            )
            self.connection.execute("SELECT COUNT(*) FROM sqlite_master")

    def close(self) -> None:
        self.connection.close()

    def tables(self) -> list[str]:
        found = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND NOT name LIKE 'sqlite_%' ORDER BY 1"
        return [row["name"] for row in self.rows(expression(found))]

    def load(self, name: str, columns: list[str], rows: Iterable[tuple[str | None, ...]]) -> None:
        listed = ", ".join(column(each).sql("sqlite") for each in columns)
        sql = f"INSERT INTO {table(name).sql('sqlite')} ({listed}) VALUES ({', '.join(['?'] * len(columns))})"
        with self._asked(sql):
            self.connection.executemany(sql, rows)


class DuckDb(Database):
    """A DuckDB file."""

    dialect = "duckdb"
    errors = (duckdb.Error,)

    def __init__(self, place: str, address: str, writable: bool):
        super().__init__(place)
        with self._asked():
            self.connection = duckdb.connect(str(_file_of(place, address)), read_only=not writable)

    def close(self) -> None:
        self.connection.close()

    def rows(self, query: exp.Expr) -> list[dict[str, Any]]:
        sql = self.text_of(query)
        with self._asked(sql):
            found = self.connection.execute(sql)
            names = [each[0] for each in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def run(self, statement: exp.Expr | str) -> None:
        sql = self.text_of(statement)
        with self._asked(sql):
            self.connection.execute(sql)

    def columns(self, source: exp.Expr) -> list[str]:
        with self._asked():
            return list(self.connection.sql(self.text_of(_none_of(source))).columns)

    def spool(self, query: exp.Query, file: Path) -> int:
        with self._asked(self.text_of(query)):
            return _to_parquet(self.connection, query, file)

    def load(self, name: str, columns: list[str], rows: Iterable[tuple[str | None, ...]]) -> None:
        listed = ", ".join(to_sql(column(each)) for each in columns)
        with self._asked():
            for chunk in _chunks(rows):
                self.connection.register("chunk", _as_relation(self.connection, columns, chunk))
                self.connection.execute(f"INSERT INTO {to_sql(table(name))} ({listed}) SELECT * FROM chunk")
                self.connection.unregister("chunk")


KINDS: dict[str, type[Any]] = {
    "postgresql": Postgres, "postgres": Postgres, "redshift": Postgres, "mysql": MySql, "mariadb": MySql,
    "sqlite": Sqlite, "duckdb": DuckDb,
}  # fmt: skip


FILES = ("sqlite", "duckdb")  # the kinds whose address is that of a file


def is_address(text: str) -> bool:
    """Whether a text is a database's address, as `postgresql://shop@db/orders` is, and no path."""
    return text.split("://")[0] in KINDS and "://" in text


@contextlib.contextmanager
def opened(address: str, place: str, writable: bool = False) -> Iterator[Any]:
    """A Database by its address, for as long as the block takes; `place` says where the address stands, for messages.

    Without `writable` the database itself refuses to change anything. Raises DatabaseError, with one sentence and never
    the password, for an address of another kind, a server that does not answer and one that does not let us in.

    Example:
        >>> with opened("postgresql+odd://shop", "sources.purchases.from.database"): pass
        Traceback (most recent call last):
        clv_helpers.engines.databases.DatabaseError: sources.purchases.from.database is of the kind postgresql+odd://…
    """
    if not is_address(address):
        kind = f"{address.split('://')[0]}://" if "://" in address else "no address"
        raise DatabaseError(f"{place} is of the kind {kind}; allowed: {ALLOWED}")
    with contextlib.closing(KINDS[address.split("://")[0]](place, _checked(address, place), writable)) as database:
        yield database


def dialect_of(address: str) -> str:
    """sqlglot's name for the SQL of a database, by its address."""
    scheme = address.split("://")[0]
    return "redshift" if scheme == "redshift" else KINDS[scheme].dialect


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


def _refused(error: Exception, address: str) -> str:
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


def _driver(module: str, extra: str, place: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DatabaseError(
            f"{place}: its driver is not installed; allowed: pip install 'clv-helpers[{extra}]', then again"
        ) from None


def _file_of(place: str, address: str) -> Path:
    file = Path(address.split("://", 1)[1]).resolve()
    if not file.is_file():
        raise DatabaseError(f"{place}: {file} (no such file)")
    return file


def _none_of(source: exp.Expr) -> exp.Expression:
    return expression("SELECT * FROM $source AS s LIMIT 0", source=source)


def _to_parquet(connection: duckdb.DuckDBPyConnection, query: exp.Expr, file: Path) -> int:
    copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} (FORMAT parquet)"
    return connection.execute(copy).fetchall()[0][0]


def _chunks(rows: Iterable[tuple[str | None, ...]]) -> Iterator[list[tuple[str | None, ...]]]:
    left = iter(rows)
    while chunk := list(itertools.islice(left, CHUNK)):
        yield chunk


def _frame(names: list[str], columns: list[list[str | None]]) -> Any:
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in zip(names, columns, strict=True)})


def _as_relation(connection: duckdb.DuckDBPyConnection, names: list[str], rows: list[tuple[str | None, ...]]) -> Any:
    """Rows of text as a relation of DuckDB, which gives them on as Arrow."""
    frame = _frame(names, [list(values) for values in zip(*rows, strict=True)])
    texts = ", ".join(f"CAST({to_sql(column(name))} AS VARCHAR) AS {to_sql(column(name))}" for name in names)
    return connection.from_df(frame).project(texts)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
