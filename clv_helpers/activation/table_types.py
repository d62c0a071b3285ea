"""What goes into a column: types of ours and of a database, and the rows of a part whose values do not fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.activation.destination import CUSTOMER, MEMBERSHIP
from clv_helpers.engines.databases import Database
from clv_helpers.engines.dialect import DIALECT, column, expression, literal, table, to_sql

CHUNK = 10_000
LONGEST = 10_000  # letters of a text of no length of its own: within the 65,535 bytes of MySQL's
Kind = exp.DType
TEXT, WHOLE, NUMBER, YES_NO, DAY, MOMENT = "text", "whole numbers", "numbers", "true or false", "days", "moments"
FAMILIES = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, TEXT),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES - {Kind.BIT}, WHOLE),
    **dict.fromkeys(exp.DataType.REAL_TYPES, NUMBER),
    **dict.fromkeys((Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.TIMESTAMPNTZ, Kind.TIMESTAMPLTZ, Kind.DATETIME), MOMENT),
    Kind.DATE: DAY,
    Kind.BOOLEAN: YES_NO,
}
# What goes into a column beside what is of its own family. Text takes everything.
TAKES = {TEXT: set(FAMILIES.values()), NUMBER: {WHOLE}, MOMENT: {DAY}, WHOLE: {YES_NO}}
# Types of ours for which a database has another name, or a rougher one.
SMALL = {"UTINYINT": "SMALLINT", "USMALLINT": "INT", "UINTEGER": "BIGINT"}
LARGE = {"UBIGINT": "DECIMAL(20, 0)", "HUGEINT": "DECIMAL(38, 0)"}
CREATED = {
    "postgres": {**SMALL, **LARGE},
    "mysql": {"TIMESTAMP": "DATETIME(6)", **LARGE},
    "sqlite": {"TIMESTAMP": "DATETIME", **SMALL, **LARGE},
}
COLUMNS_OF_SQLITE = "SELECT name, type AS kind FROM PRAGMA_TABLE_INFO($table)"
COLUMNS = """
SELECT
    column_name AS name, $kind AS kind, character_maximum_length AS longest,
    numeric_precision AS digits, numeric_scale AS decimals
FROM information_schema.columns
WHERE table_name = $table AND table_schema = $schema
ORDER BY ordinal_position
"""


def created(kind: str, dialect: str, is_key: bool) -> exp.DataType:
    """The type with which a column is created for a type of ours, as DuckDB writes it.

    Example:
        >>> created("HUGEINT", "postgres", is_key=False).sql("postgres")
        'DECIMAL(38, 0)'
    """
    if is_key and dialect == "mysql":  # which keys no text without a length
        return exp.DataType.build("VARCHAR(255)")
    if theirs := CREATED.get(dialect, {}).get(kind):
        return exp.DataType.build(theirs, dialect=dialect)
    ours = exp.DataType.build(kind, dialect=DIALECT)
    return ours if ours.this in FAMILIES else exp.DataType.build("TEXT")  # a list or a map goes as JSON


def known(kind: str, dialect: str) -> exp.DataType | None:
    """A database's type as a tree; None for one that is not known here, such as one of its users' own.

    Numbers come without the width at which some show them, and SQLite's whole ones are all as wide as can be.
    """
    try:
        built = exp.DataType.build(kind, dialect=dialect)
    except (ParseError, ValueError):
        return None
    if built.this in exp.DataType.INTEGER_TYPES:
        return exp.DataType.build("BIGINT") if dialect == "sqlite" else exp.DataType(this=built.this)
    if built.this in (Kind.FLOAT, Kind.DOUBLE):
        return exp.DataType(this=built.this)
    return built if built.this in FAMILIES else None


def columns_of(database: Database, name: str) -> dict[str, str]:
    """The columns of a table with their types, as the database writes them; none where there is no such table."""
    schema, _, bare = name.rpartition(".")
    if database.dialect == "sqlite":
        found = database.rows(expression(COLUMNS_OF_SQLITE, table=bare))
        return {row["name"]: row["kind"] for row in found}
    kind = exp.column("column_type" if database.dialect == "mysql" else "data_type")
    place = literal(schema) if schema else expression("CURRENT_SCHEMA()")
    found = database.rows(expression(COLUMNS, table=bare, schema=place, kind=kind))
    return {row["name"]: row["kind"] + _limits(row) for row in found}


def _limits(row: Mapping[str, Any]) -> str:
    """The length or the digits of a column, where they do not stand in its type."""
    if "(" not in row["kind"] and "char" in row["kind"] and row["longest"]:
        return f"({row['longest']})"
    return f"({row['digits']}, {row['decimals']})" if row["kind"] == "numeric" and row["digits"] else ""


def family(kind: exp.DataType | None) -> str:
    """What a type holds, in words; empty where the database is to judge.

    Example:
        >>> family(known("character varying(20)", "postgres")), family(known("tinyint(1)", "mysql"))
        ('text', 'whole numbers')
    """
    return FAMILIES[kind.this] if kind else ""


def goes_into(ours: str, theirs: str, is_key: bool) -> bool:
    """Whether values of a family go into a column of another; the customer's id also into numbers, where it is one.

    Example:
        >>> goes_into("days", "moments", is_key=False), goes_into("text", "numbers", is_key=False)
        (True, False)
    """
    if not ours or not theirs or ours == theirs or ours in TAKES.get(theirs, ()):
        return True
    return is_key and theirs in (WHOLE, NUMBER)


def misfit(header: str, kind: exp.DataType | None) -> exp.Expression | None:
    """Why a row's value does not go into its column, as text, NULL where it does; None where all do.

    Example:
        >>> misfit("name", known("bigint", "mysql")).sql("duckdb")[:54]
        'CASE WHEN NOT "name" IS NULL AND TRY_CAST("name" AS BI'
    """
    value, what = column(header), family(kind)
    if kind is None or what not in (TEXT, WHOLE, NUMBER):
        return None
    if what != TEXT:
        limits = exp.DataType.build("DOUBLE") if what == NUMBER and not kind.expressions else kind
        text = "CASE WHEN NOT $value IS NULL AND $cast IS NULL THEN $reason END"
        reason = f"{header} does not go into {kind.sql()}"
        return expression(text, value=value, cast=exp.TryCast(this=value, to=limits), reason=reason)
    longest = int(kind.expressions[0].name) if kind.expressions else LONGEST
    return expression(
        "CASE WHEN LENGTH($value) > $longest THEN $too_long WHEN CONTAINS($value, CHR(0)) THEN $no_letter END",
        value=exp.cast(value, "VARCHAR"),
        longest=longest,
        too_long=f"{header} has more than {longest:,} letters",
        no_letter=f"{header} holds a sign that is none",  # NUL, which PostgreSQL refuses
    )


@dataclass(frozen=True)
class Spool:
    """The rows of a part on this machine: the mapped columns with their types, in DuckDB's words."""

    connection: duckdb.DuckDBPyConnection
    columns: Mapping[str, str]

    def misfits(self, kinds: Mapping[str, exp.DataType | None]) -> dict[str, str]:
        """Customers whose row does not go into columns of these types, each with the first reason."""
        reasons = [reason for header, kind in kinds.items() if (reason := misfit(header, kind))]
        if not reasons:
            return {}
        first = exp.Coalesce(this=reasons[0], expressions=reasons[1:]).as_("reason")
        found = exp.select(column(CUSTOMER), first).from_(table("part")).where(exp.not_(self._exited))
        wrong = exp.select("*").from_(found.subquery("f")).where(exp.not_(column("reason").is_(exp.null())))
        self.connection.execute(to_sql(exp.insert(wrong, table("misfits"))))
        return dict(self.connection.sql("FROM misfits").fetchall())

    def rows(self, key: str, kinds: Mapping[str, exp.DataType | None]) -> Iterator[tuple[str | None, ...]]:
        """What is staged, as text: the key, where the customer has not exited all else, and whether they have."""
        chosen: list[exp.Expr] = []
        for header, kind in self.columns.items():
            value = _as_text(column(header), family(known(kind, DIALECT)), family(kinds[header]))
            stays = exp.Case(ifs=[exp.If(this=exp.not_(self._exited), true=value)])
            chosen.append(value if header == key else stays)
        query = exp.select(*chosen, exp.cast(exp.cast(self._exited, "INT"), "VARCHAR")).from_(table("part"))
        found = self.connection.execute(to_sql(query.where(f"{CUSTOMER} NOT IN (SELECT {CUSTOMER} FROM misfits)")))
        while chunk := found.fetchmany(CHUNK):
            yield from chunk

    @property
    def _exited(self) -> exp.Condition:
        return column(MEMBERSHIP).eq(literal("exited"))


def _as_text(value: exp.Expr, ours: str, theirs: str) -> exp.Expr:
    """A value as a database reads it: what is true as 1, unless text is wanted, and what is a list or a map as JSON."""
    if not ours:
        value = exp.func("TO_JSON", value)
    elif ours == YES_NO and theirs != TEXT:
        value = exp.cast(value, "INT")
    return exp.cast(value, "VARCHAR")


@contextlib.contextmanager
def spooled(file: Path) -> Iterator[Spool]:
    """The rows of a part, by its spool."""
    with duckdb.connect() as connection:
        connection.read_parquet(str(file)).create_view("part")
        connection.execute(f"CREATE TABLE misfits ({CUSTOMER} VARCHAR, reason VARCHAR)")
        described = connection.sql("DESCRIBE part").fetchall()
        yield Spool(connection, {name: kind for name, kind, *_ in described if name not in (CUSTOMER, MEMBERSHIP)})
