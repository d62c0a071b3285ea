"""Expressions over a file's headers, as a person would write them into the params."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError

from clv_helpers.engines.dialect import literal, parse, to_sql


def header(name: str) -> exp.Column:
    """A header, in quotes only where it needs them."""
    plain = exp.column(exp.to_identifier(name))
    try:
        return plain if parse(to_sql(plain)) == plain else exp.column(exp.to_identifier(name, quoted=True))
    except SqlglotError:  # a word of SQL
        return exp.column(exp.to_identifier(name, quoted=True))


def product(one: str, other: str) -> str:
    """One header times another."""
    return to_sql(exp.Mul(this=header(one), expression=header(other)))


def one_of(name: str, values: list[str], negated: bool = False) -> str:
    """Whether a header has one of these values."""
    found = exp.In(this=header(name), expressions=[literal(value) for value in values])
    return to_sql(exp.Not(this=found) if negated else found)


def folded_one_of(name: str, values: list[str]) -> str:
    """Whether a header has one of these values, in whichever case."""
    return to_sql(exp.In(this=exp.Lower(this=header(name)), expressions=[literal(value) for value in values]))


def renamed(name: str, meanings: dict[str, str]) -> str:
    """What the values of a header mean, by value; nothing for others."""
    cases = exp.Case()
    for meaning in dict.fromkeys(meanings.values()):
        values = [literal(value) for value, means in meanings.items() if means == meaning]
        cases = cases.when(exp.In(this=header(name), expressions=values), literal(meaning))
    return to_sql(cases)


def together(names: list[str]) -> str:
    """Headers one after the other, with a slash between them."""
    whole: exp.Expression = header(names[0])
    for name in names[1:]:
        whole = exp.DPipe(this=exp.DPipe(this=whole, expression=literal("/")), expression=header(name))
    return to_sql(whole)
