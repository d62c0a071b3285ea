"""SQL text to trees and back: parsed by sqlglot in DuckDB's dialect, values bound as literals, never pasted."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

DIALECT = "duckdb"

# The contract's column types (contract.ColumnType) as SQL types. Money and miles are exact decimals, so that
# sums do not depend on the order in which an engine adds them.
SQL_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "decimal": "DECIMAL(18, 4)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


def parse(sql: str) -> exp.Expression:
    """One SQL statement as a tree. Raises sqlglot.errors.ParseError, which names line and column."""
    return sqlglot.parse_one(sql, dialect=DIALECT)  # type: ignore[return-value]  # it never gives a bare Expr


@functools.lru_cache(maxsize=500)
def parsed(sql: str) -> exp.Expression:
    """The tree of a text that the code holds, to be read only: hundreds of them make the query of a batch."""
    return parse(sql)


def expression(sql: str, **bindings: Any) -> exp.Expression:
    """A piece of SQL as a tree, each of its `$names` replaced as `bind` says."""
    return bind(parsed(sql), bindings)  # which leaves what it is given as it is


def syntax_error(error: ParseError) -> str:
    """What is wrong with a text that is no SQL, with the line and the word at which the reading ended."""
    detail = error.errors[0]
    word = detail["highlight"]
    reason = re.sub(r"<Token .*?text: (.*?), line: .*?>", r"\1", detail["description"])
    if reason.startswith("Invalid expression"):
        reason = f"{word!r} is not expected here"
    elif reason.startswith("Required keyword"):
        reason = f"something is missing at {word!r}"
    else:
        reason = f"{reason.rstrip('.')} at {word!r}"
    before = detail["start_context"].split("\n")[-1].strip()[-30:]
    return f"line {detail['line']}: {reason}" + (f", after {before!r}" if before else "")


def column(name: str) -> exp.Column:
    """A column by its name, quoted."""
    return exp.column(exp.to_identifier(name, quoted=True))


def table(name: str) -> exp.Table:
    """A table by its dotted name (`schema.table`), quoted."""
    parts = [exp.to_identifier(part, quoted=True) for part in name.split(".")]
    return exp.Table(this=parts[-1], db=parts[-2] if len(parts) > 1 else None)


def mentions(query: exp.Expr) -> list[tuple[str, exp.Table]]:
    """Each place of a query where a table is read, with the table's name; its own CTEs left out."""
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    return [(table_name(t), t) for t in query.find_all(exp.Table) if t.db or t.name not in ctes]


def table_name(mention: exp.Table) -> str:
    """The name of a table that is mentioned, with its schema where that is said."""
    return f"{mention.db}.{mention.name}" if mention.db else mention.name


def cast(value: exp.Expr, kind: str) -> exp.Cast:
    """A cast to one of the contract's types."""
    return exp.cast(value, _type(kind))  # which copies it


@functools.cache
def _type(kind: str) -> exp.DataType:
    return exp.DataType.build(SQL_TYPES[kind], dialect=DIALECT)


def literal(value: Any) -> exp.Expression:
    """A Python value as an SQL literal. Raises TypeError for a type that SQL has no literal for."""
    match value:
        case exp.Expression():
            return value.copy()
        case None:
            return exp.null()
        case bool():
            return exp.true() if value else exp.false()
        case int():
            return exp.Literal.number(value)
        case float() | Decimal():
            # a bare 0.1 would be a DECIMAL in DuckDB and overflow in sums
            return cast(exp.Literal.string(str(value)), "number")
        case str():
            return exp.Literal.string(value)
        case dt.datetime():
            return cast(exp.Literal.string(value.isoformat(sep=" ")), "timestamp")
        case dt.date():
            return cast(exp.Literal.string(value.isoformat()), "date")
    raise TypeError(f"no SQL literal for {type(value).__name__}: {value!r}")


def is_in(value: exp.Expr, values: list[Any]) -> exp.Expression:
    """`value IN (values)`; false for an empty list."""
    if not values:
        return exp.false()
    return exp.In(this=value, expressions=[literal(one) for one in values])


def joined(texts: list[exp.Expression]) -> exp.Expression:
    """Texts, none of them NULL, one after the other with a separator that occurs in none; to compare or to hash."""
    separator = exp.Literal.string("\x1f")
    whole = texts[0]
    for text in texts[1:]:
        whole = exp.DPipe(this=exp.DPipe(this=whole, expression=separator.copy()), expression=text)
    return whole


def bind(query: exp.Expr, bindings: Mapping[str, Any]) -> exp.Expression:
    """Replace each `$name` by a literal, or by the sqlglot tree given for it: an expression, a table or a query.

    In a SELECT list, or after GROUP BY, it may stand for a list of expressions. Raises KeyError with the name of a
    placeholder that has no binding.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Placeholder):  # FROM $name AS alias
            source = bindings[node.this.name].copy()
            if isinstance(source, exp.Query) and not isinstance(source, exp.Subquery):
                source = source.subquery()
            return exp.alias_(source, node.alias, table=True) if node.alias else source
        if isinstance(node, exp.Select | exp.Group):
            node.set("expressions", [part for item in node.expressions for part in _listed(item, bindings)])
        if not isinstance(node, exp.Placeholder) or not node.name:
            return node
        value = literal(bindings[node.name])
        inside = isinstance(node.parent, exp.Binary | exp.Unary)
        return exp.paren(value) if inside and isinstance(value, exp.Connector) else value

    return query.transform(replace)  # type: ignore[return-value]  # as parse


def _listed(item: exp.Expr, bindings: Mapping[str, Any]) -> list[exp.Expr]:
    value = bindings.get(item.name) if isinstance(item, exp.Placeholder) else None
    return [part.copy() for part in value] if isinstance(value, list) else [item]


def to_sql(query: exp.Expr, dialect: str = DIALECT, pretty: bool = False) -> str:
    """The tree as SQL text for an engine. Of a copy: some nodes are changed as they are written."""
    return query.sql(dialect=dialect, pretty=pretty)
