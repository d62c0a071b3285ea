"""The databases spoken to by ADBC, whose Arrow goes straight into DuckDB: PostgreSQL, Redshift, Snowflake."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import duckdb
from sqlglot import exp

from clv_helpers.engines.database import (
    CONNECT_SECONDS,
    SILENT_SECONDS,
    Database,
    DatabaseError,
    as_relation,
    chunks,
    driver_of,
    none_of,
    refused,
    to_parquet,
)  # fmt: skip
from clv_helpers.engines.dialect import column, expression
from clv_helpers.engines.silence import Silence


class Adbc(Database):
    """A database by its ADBC driver. A kind says what the driver's module is, and which extra brings it."""

    driver: ClassVar[str]
    extra: ClassVar[str]

    def __init__(self, place: str, address: str, silent: float, **given: Any):
        """`given`: what the kind makes of the address for its driver."""
        super().__init__(place, silent)
        manager, driver = (driver_of(name, self.extra, place) for name in ("adbc_driver_manager", self.driver))
        self.manager, self.errors = manager, (manager.Error, duckdb.Error)
        with contextlib.ExitStack() as stack:
            self.silence = stack.enter_context(contextlib.closing(Silence(silent)))
            try:
                self.database = stack.enter_context(driver.connect(**given))
                with self.silence.connecting():
                    self.connection = stack.enter_context(manager.AdbcConnection(self.database))
            except manager.Error as error:
                raise DatabaseError(f"{place}: {refused(error, address)}") from None
            self.stack = stack.pop_all()
        self.buffer = duckdb.connect()

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
        with self._stream(self.text_of(none_of(source))):
            return list(self.buffer.sql("SELECT * FROM incoming").columns)

    def spool(self, query: exp.Query, file: Path) -> int:
        with self._stream(self.text_of(self._readable(query))):
            return to_parquet(self.buffer, expression("SELECT * FROM incoming"), file)

    def _readable(self, query: exp.Query) -> exp.Query:
        """A query whose columns are all of types that arrive as they are."""
        return query

    @contextlib.contextmanager
    def _asked(self, sql: str = "") -> Iterator[None]:
        with super()._asked(sql), self.silence.limited():
            yield


class Postgres(Adbc):
    """PostgreSQL, and what speaks like it."""

    dialect, driver, extra = "postgres", "adbc_driver_postgresql", "postgres"
    # What Arrow has a type for as it is; all others are asked for as text, and money, which comes in cents, as numeric.
    AS_IS = re.compile(
        r"bigint|integer|smallint|numeric|text|character( varying)?|name|boolean|double precision|real|date|jsonb?|uuid"
        r"|timestamp with(out)? time zone|time without time zone"
    )
    TYPES = "SELECT $types FROM (SELECT 1 AS one) AS one LEFT JOIN (SELECT * FROM $source AS s LIMIT 0) AS q ON TRUE"

    def __init__(self, place: str, address: str, writable: bool, silent: float = SILENT_SECONDS):
        scheme, rest = address.split("://", 1)
        if scheme == "redshift":
            self.dialect = "redshift"
        timed = "" if "connect_timeout=" in rest else f"{'&' if '?' in rest else '?'}connect_timeout={CONNECT_SECONDS}"
        super().__init__(place, address, silent, uri=f"postgresql://{rest}{timed}")
        if not writable and self.dialect == "postgres":
            self.run("SET default_transaction_read_only = on")

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
            for chunk in chunks(rows):
                with contextlib.closing(self.manager.AdbcStatement(self.connection)) as statement:
                    schema, _, bare = name.rpartition(".")
                    target = {"adbc.ingest.target_table": bare, "adbc.ingest.mode": "adbc.ingest.mode.append"}
                    place = {"adbc.ingest.target_db_schema": schema} if schema else {"adbc.ingest.temporary": "true"}
                    statement.set_options(**target, **place)
                    statement.bind_stream(as_relation(self.buffer, columns, chunk))
                    statement.execute_update()

    def _reason(self, error: Exception, sql: str) -> str:
        if self.silence.ended:
            return self._silent()
        text = str(error)
        if re.search(r"connection|server closed|terminating|no COPY data|SSL SYSCALL", text, re.I):
            return "the database went away in the middle; nothing came of it: run again once it answers"
        said = re.search(r"ERROR:\s*([^\n]*)", text)
        return super()._reason(RuntimeError(said[1]) if said else error, sql)


class Snowflake(Adbc):
    """Snowflake. It has no session that only reads: that a query is one SELECT, and the user's rights, must do."""

    dialect, driver, extra = "snowflake", "adbc_driver_snowflake", "snowflake"
    # a cursor's greatest value goes through text, to the last digit
    EXACT: ClassVar[dict[str, str]] = {
        f"TIMESTAMP_{kind}_OUTPUT_FORMAT": f"YYYY-MM-DD HH24:MI:SS.FF9{zone}"
        for kind, zone in (("NTZ", ""), ("LTZ", " TZHTZM"), ("TZ", " TZHTZM"))
    }
    MORE = ("warehouse", "role", "host", "port", "protocol")  # what may stand after the address's `?`

    def __init__(self, place: str, address: str, writable: bool, silent: float = SILENT_SECONDS):
        if writable:
            raise DatabaseError(f"{place} is of the kind snowflake://, which is read and not written to")
        found = urlsplit(address)
        more = dict(parse_qsl(found.query))
        if wrong := next((name for name in more if name not in self.MORE), None):
            raise DatabaseError(f"{place} has {wrong!r} after its ?; allowed: {', '.join(self.MORE)}")
        server = f"{more.pop('host')}:{more.pop('port', 443)}" if "host" in more else found.hostname
        more |= {"account": found.hostname or "", **self.EXACT, "tracing": "fatal"}
        more |= {"loginTimeout": str(CONNECT_SECONDS), "clientTimeout": f"{silent:.0f}"}
        who = found.netloc.rpartition("@")[0]
        super().__init__(place, address, silent, uri=f"{who}@{server}{found.path}?{urlencode(more)}")

    def rows(self, query: exp.Expr) -> list[dict[str, Any]]:
        return [{name.lower(): value for name, value in row.items()} for row in super().rows(query)]
