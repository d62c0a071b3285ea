"""MAX_BY and MIN_BY in the words of engines that have neither, or that cannot rank by a struct."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.engines.dialect import DIALECT
from clv_helpers.errors import UserError


class TranslationError(UserError):
    """SQL that an engine has no words for."""


def first_by_order(node: exp.Expression, target: str) -> exp.Expression:
    """The first of the values in their order, for PostgreSQL always, for the others where the rank is a struct.

    A value that is NULL is passed over, as by DuckDB. Snowflake's list gives it as a VARIANT.
    """
    if not isinstance(node, exp.ArgMin | exp.ArgMax) or not (target == "postgres" or node.find(exp.Struct)):
        return node
    if isinstance(node.parent, exp.Filter | exp.Window) or node.args.get("count"):
        raise TranslationError(f"{target} has no words for {node.parent.sql(DIALECT)}")
    known, ranks = _ranks(node, target)
    has_value = exp.not_(exp.Is(this=node.this.copy(), expression=exp.null()))
    known = has_value if known in (None, has_value) else exp.and_(known, has_value)
    if target == "trino":
        return type(node)(this=node.this.copy(), expression=exp.Case().when(known, exp.func("ROW", *ranks)))
    order = [exp.Ordered(this=each, desc=isinstance(node, exp.ArgMax), nulls_first=False) for each in ranks]
    if target == "postgres":
        ranked = exp.ArrayAgg(this=exp.Order(this=node.this.copy(), expressions=order))
        listed: exp.Expression = exp.paren(exp.Filter(this=ranked, expression=exp.Where(this=known)))
        return exp.Bracket(this=listed, expressions=[exp.Literal.number(0)])
    value: exp.Expression = exp.Case().when(known, node.this.copy())
    value = exp.IgnoreNulls(this=value) if target == "bigquery" else value  # Snowflake's lists have no NULL
    listed = exp.ArrayAgg(this=exp.Order(this=value, expressions=order))
    return exp.Bracket(this=listed, expressions=[exp.Literal.number(0)], offset=0, safe=target == "bigquery")


def _ranks(node: exp.ArgMin | exp.ArgMax, target: str) -> tuple[exp.Expression | None, list[exp.Expression]]:
    """For which rows the rank is known, and the values that it compares, one after the other."""
    rank = node.expression
    if isinstance(rank, exp.Struct):
        return None, _fields(rank)
    if not rank.find(exp.Struct):
        return exp.not_(exp.Is(this=rank.copy(), expression=exp.null())), [rank.copy()]
    branches = rank.args.get("ifs", []) if isinstance(rank, exp.Case) else []
    plain = len(branches) == 1 and not rank.this and not rank.args.get("default")
    if not plain or not isinstance(branches[0].args["true"], exp.Struct):
        raise TranslationError(f"{target} has no words for {node.sql(DIALECT)}")
    return branches[0].this.copy(), _fields(branches[0].args["true"])


def _fields(struct: exp.Struct) -> list[exp.Expression]:
    return [(f.expression if isinstance(f, exp.PropertyEQ) else f).copy() for f in struct.expressions]
