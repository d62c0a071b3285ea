"""The kinds of databases, each by its driver, which is imported where one of its kind is opened."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb
from sqlglot import exp

from clv_helpers.engines.database import (
    CHUNK,
    CONNECT_SECONDS,
    SILENT_SECONDS,
    Database,
    DatabaseError,
    as_relation,
    chunks,
    driver_of,
    file_of,
    frame_of,
    none_of,
    refused,
    to_parquet,
)  # fmt: skip
from clv_helpers.engines.dialect import column, expression, literal, table, to_sql


class Rows(Database):
    """A database whose driver gives rows (PEP 249): they come as text, which is exact."""

    connection: Any

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        """One whose rows are given as they come."""
        with contextlib.closing(self.connection.cursor()) as cursor:
            yield cursor

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
        sql = self.text_of(none_of(source))
        with self._asked(sql), contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute(sql)
            return [each[0] for each in cursor.description]

    def spool(self, query: exp.Query, file: Path) -> int:
        sql = self.text_of(query)
        with self._asked(sql), self._cursor() as cursor, duckdb.connect() as buffer:
            # its rows are more than memory may hold: they go to the disk beside the file
            buffer.execute(f"ATTACH {to_sql(literal(f'{file}.rows'))} AS rows")
            cursor.execute(sql)
            names = [each[0] for each in cursor.description]
            texts = ", ".join(f"{to_sql(column(name))} VARCHAR" for name in names)
            buffer.execute(f"CREATE TABLE rows.incoming ({texts})")
            for chunk in iter(lambda: cursor.fetchmany(CHUNK), ()):
                if not chunk:
                    break
                buffer.register("chunk", frame_of(names, self._texts(chunk, [each[1] for each in cursor.description])))
                buffer.execute("INSERT INTO rows.incoming SELECT * FROM chunk")
                buffer.unregister("chunk")
            count = to_parquet(buffer, expression("SELECT * FROM rows.incoming"), file)
        Path(f"{file}.rows").unlink(missing_ok=True)
        return count

    def _texts(self, rows: Iterable[tuple[Any, ...]], _kinds: list[Any]) -> list[list[str | None]]:
        """Rows as they come, as columns of text."""
        return [[_text(value) for value in values] for values in zip(*rows, strict=True)]


class MySql(Rows):
    """MySQL and MariaDB. A `timestamp` of theirs is a moment, and comes with its offset; a `datetime` has no zone."""

    dialect = "mysql"
    MOMENT = 7  # the type code of a TIMESTAMP

    def __init__(self, place: str, address: str, writable: bool, silent: float = SILENT_SECONDS):
        super().__init__(place, silent)
        pymysql = driver_of("pymysql", "mysql", place)
        self.errors = (pymysql.Error,)
        self.streaming = importlib.import_module("pymysql.cursors").SSCursor
        found = urlsplit(address)
        options = dict(parse_qsl(found.query))
        said: dict[str, Any] = {"unix_socket": options.get("unix_socket"), "ssl_ca": options.get("ssl_ca")}
        try:
            self.connection = pymysql.connect(
                host=found.hostname or "localhost", port=found.port or 3306, user=unquote(found.username or "") or None,
                password=unquote(found.password or ""), database=unquote(found.path.lstrip("/")), charset="utf8mb4",
                connect_timeout=CONNECT_SECONDS, read_timeout=CONNECT_SECONDS, write_timeout=silent, autocommit=True,
                conv=dict(pymysql.converters.encoders),  # of no decoders: what comes is text as it stands
                **{key: value for key, value in said.items() if value},
            )  # fmt: skip
        except pymysql.Error as error:
            raise DatabaseError(f"{place}: {refused(error, address)}") from None
        self.connection._read_timeout = silent  # its greeting was due sooner
        self.run("SET time_zone = '+00:00'")
        if not writable:
            self.run("SET SESSION TRANSACTION READ ONLY")

    def close(self) -> None:
        self.connection._force_close()  # without reading to its end a result that nobody wants any more

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self.connection.cursor(self.streaming)
        try:
            yield cursor
        except BaseException:
            if cursor._result:  # else it would read the rest, of a connection that may be gone
                cursor._result.unbuffered_active = False
            raise
        cursor.close()

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
            for chunk in chunks(rows):
                cursor.executemany(sql, chunk)

    def _reason(self, error: Exception, sql: str) -> str:
        if "timed out" in str(error):
            return self._silent()
        if error.args and error.args[0] in (2006, 2013, 2014, 1053, 1927, 0):
            return "the database went away in the middle; nothing came of it: run again once it answers"
        return super()._reason(RuntimeError(str(error.args[-1]).replace("doesn't", "does not")), sql)


class Sqlite(Rows):
    """An SQLite file."""

    dialect = "sqlite"

    def __init__(self, place: str, address: str, writable: bool, silent: float = SILENT_SECONDS):
        import sqlite3

        super().__init__(place, silent)
        self.errors = (sqlite3.Error,)
        file = file_of(place, address)
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

    def __init__(self, place: str, address: str, writable: bool, silent: float = SILENT_SECONDS):
        super().__init__(place, silent)
        with self._asked():
            self.connection = duckdb.connect(str(file_of(place, address)), read_only=not writable)

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
            return list(self.connection.sql(self.text_of(none_of(source))).columns)

    def spool(self, query: exp.Query, file: Path) -> int:
        with self._asked(self.text_of(query)):
            return to_parquet(self.connection, query, file)

    def load(self, name: str, columns: list[str], rows: Iterable[tuple[str | None, ...]]) -> None:
        listed = ", ".join(to_sql(column(each)) for each in columns)
        with self._asked():
            for chunk in chunks(rows):
                self.connection.register("chunk", as_relation(self.connection, columns, chunk))
                self.connection.execute(f"INSERT INTO {to_sql(table(name))} ({listed}) SELECT * FROM chunk")
                self.connection.unregister("chunk")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
