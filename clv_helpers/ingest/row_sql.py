"""Expressions over the row of a file, as the params write them: `Quantity * Price`, `StockCode IN ('POST', 'DOT')`.

A header that is calculated with, or compared with a number, is read as a number, as the file writes them; any other is
text without blanks around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from clv_helpers.config.row_expressions import read_expression
from clv_helpers.config.validation import nearest
from clv_helpers.engines.dialect import cast, column, expression, to_sql
from clv_helpers.engines.messages import without_values
from clv_helpers.ingest.writings import Writing, as_text, number, trimmed

ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
OF_NUMBERS = (*ARITHMETIC, exp.Neg, exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Sign)
ORDERS = (exp.GT, exp.GTE, exp.LT, exp.LTE)
COMPARES = (*ORDERS, exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
CHOOSES = (exp.Coalesce, exp.Greatest, exp.Least, exp.Case, exp.Nullif)
NUMERIC_TYPES = {"INT", "BIGINT", "DOUBLE", "DECIMAL"}


@dataclass(frozen=True)
class RowExpression:
    """An expression with its headers read: which they are, which of them as numbers, whether its own value is one."""

    tree: exp.Expression
    headers: tuple[str, ...]
    numbers: tuple[str, ...]
    is_number: bool


def row_expression(sql: str, writing: Writing, as_number: bool = False) -> RowExpression:
    """An expression of the params over a file's headers; `as_number`: what comes out is to be a number.

    Raises ValueError for anything but an expression over one row.
    """
    tree = read_expression(sql)
    numbers = {id(each) for each in _read_as_numbers(tree, as_number)}
    mentioned = list(tree.find_all(exp.Column))
    is_number = _is_number(tree) or (as_number and bool(numbers & {id(each) for each in _chosen(tree)}))
    found = RowExpression(
        tree,
        tuple(dict.fromkeys(each.name for each in mentioned)),
        tuple(dict.fromkeys(each.name for each in mentioned if id(each) in numbers)),
        is_number,
    )
    readings = {id(each): (number if id(each) in numbers else _text)(column(each.name), *(
        ("number", writing) if id(each) in numbers else ())) for each in mentioned}  # fmt: skip
    for each in mentioned:
        if each is tree:
            return RowExpression(readings[id(each)], found.headers, found.numbers, is_number)
        each.replace(readings[id(each)])
    return found


def problem(sql: str, headers: list[str], truth: bool = False) -> str:
    """Why an expression cannot be told for rows of these headers, from them alone; empty: it can.

    `truth`: it has to come out true or false.
    """
    try:
        row = row_expression(sql, Writing())
    except ValueError as error:
        return f"is no expression; allowed: {error}"
    known = {header.lower() for header in headers}
    unknown = next((name for name in row.headers if name.lower() not in known), None)
    if unknown:
        return f"reads {unknown!r}, which is none of the file's headers; {nearest(unknown, headers)}"
    texts = exp.select(*(cast(exp.null(), "text").as_(name, quoted=True) for name in headers)).subquery("row")
    told = exp.select(row.tree.as_("told")).from_(texts)
    with duckdb.connect() as connection:
        try:
            kind = connection.execute(f"DESCRIBE {to_sql(told)}").fetchall()[0][1]
            connection.execute(to_sql(told))
        except duckdb.Error as error:
            return f"cannot be calculated: {without_values(error)}"
    return "" if kind == "BOOLEAN" or not truth else "says neither true nor false; allowed: a comparison"


def unread(header: str, writing: Writing) -> exp.Expression:
    """Whether a header that an expression calculates with holds what is no number."""
    read, text = number(column(header), "number", writing), trimmed(as_text(column(header)))
    return expression("'' <> $text AND $read IS NULL", read=read, text=text)


def _text(header: exp.Expression) -> exp.Expression:
    """A header as text; 14646 where the file has the floating number 14646.0."""
    sql = r"CASE WHEN TYPEOF($header) IN ('DOUBLE', 'FLOAT') THEN REGEXP_REPLACE($text, '\.0$', '') ELSE $text END"
    return expression(sql, header=header, text=trimmed(as_text(header)))


def _read_as_numbers(tree: exp.Expression, as_number: bool) -> Iterator[exp.Column]:
    """The mentions of headers that are read as numbers."""
    if as_number:
        yield from _chosen(tree)
    for node in tree.walk():
        sides = _sides(node)
        numbers = [_is_number(side) for side in sides]
        unknown = [not known and bool(list(_chosen(side))) for side, known in zip(sides, numbers, strict=True)]
        if isinstance(node, OF_NUMBERS) or any(numbers) or (isinstance(node, ORDERS) and all(unknown)):
            for side in sides:
                yield from _chosen(side)


def _sides(node: exp.Expr) -> list[exp.Expr]:
    """What is of one type in a node: both sides of a comparison, all that is chosen from."""
    if isinstance(node, exp.Case):
        return [*(branch.args["true"] for branch in node.args["ifs"]), *filter(None, [node.args.get("default")])]
    if isinstance(node, exp.Between):
        return [node.this, node.args["low"], node.args["high"]]
    if isinstance(node, exp.In | exp.Coalesce | exp.Greatest | exp.Least):
        return [node.this, *node.expressions]
    if isinstance(node, (*ARITHMETIC, *COMPARES, exp.Nullif)):
        return [node.this, node.expression]
    return [node.this] if isinstance(node, OF_NUMBERS) else []


def _chosen(node: exp.Expr) -> Iterator[exp.Column]:
    """The headers whose own value an expression gives."""
    if isinstance(node, exp.Column):
        yield node
    elif isinstance(node, exp.Paren):
        yield from _chosen(node.this)
    elif isinstance(node, CHOOSES):
        for side in _sides(node):
            yield from _chosen(side)


def _is_number(node: exp.Expr) -> bool:
    if isinstance(node, exp.Paren):
        return _is_number(node.this)
    if isinstance(node, CHOOSES):
        return any(_is_number(side) for side in _sides(node))
    if isinstance(node, exp.Cast | exp.TryCast):
        return node.args["to"].this.value in NUMERIC_TYPES
    if isinstance(node, exp.Literal):
        return not node.is_string
    return isinstance(node, (*OF_NUMBERS, exp.Length))
