"""Spark's SQL from ours. Where sqlglot's translation gives another result or none, the tree is rewritten first.

Each rewrite is a function from one node to another; `REWRITES` lists them by the node they are for.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp, transforms
from sqlglot.dialects.spark import Spark

from clv_helpers.engines.dialect import expression
from clv_helpers.errors import UserError

REFLECTION = ("REFLECT", "TRY_REFLECT", "JAVA_METHOD")
# The number of a moment's month, quarter or year, counted from the beginning of time.
NUMBERED = {
    "MONTH": "YEAR($moment) * 12 + MONTH($moment)",
    "QUARTER": "YEAR($moment) * 4 + QUARTER($moment)",
    "YEAR": "YEAR($moment)",
}


class ForbiddenFunction(UserError):
    """A function that is not for queries."""


# sqlglot would make a subquery of QUALIFY, with ORDER BY and LIMIT on the wrong side.
WITH_QUALIFY = transforms.preprocess(
    [transforms.eliminate_distinct_on, transforms.unnest_to_explode, transforms.any_to_exists]
)


class LakeSpark(Spark):
    """Spark 4.3, which has QUALIFY."""

    class Generator(Spark.Generator):  # type: ignore[misc, valid-type]  # sqlglot's dialects set it by a metaclass
        TRANSFORMS = {**Spark.Generator.TRANSFORMS, exp.Select: WITH_QUALIFY}


def spark_sql(query: exp.Expr, pretty: bool = False) -> str:
    """A tree in DuckDB's meaning as SQL text that means the same on Spark 4.3 in ANSI mode."""
    query = exp.paren(query)  # so that every node has a parent
    for node in reversed(list(query.this.bfs())):
        rewrite = REWRITES.get(type(node))
        if rewrite:
            node.replace(rewrite(node))
    return query.this.sql(dialect=LakeSpark, pretty=pretty)


def _divided(node: exp.Div) -> exp.Expression:
    """DuckDB divides as floating point; Spark divides decimals as decimals, rounded."""
    if isinstance(node.this, exp.Div) or (isinstance(node.this, exp.Cast) and node.this.is_type("double")):
        return node
    return exp.Div(this=exp.cast(node.this.copy(), "DOUBLE"), expression=node.expression.copy())


def _or_null(node: exp.ArrayAgg | exp.Filter) -> exp.Expression:
    """A list of no rows is NULL; Spark's is an empty one."""
    rows = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(rows, exp.ArrayAgg) or isinstance(node.parent, exp.Filter):
        return node
    return call("NULLIF", node, exp.Anonymous(this="ARRAY"))


def _exact_percentile(node: exp.WithinGroup | exp.PercentileCont | exp.Quantile) -> exp.Expression:
    """sqlglot would make it PERCENTILE_APPROX."""
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont):
        return call("PERCENTILE", node.expression.expressions[0].this, node.this.this)
    if isinstance(node, exp.WithinGroup) or isinstance(node.parent, exp.WithinGroup):
        return node
    return call("PERCENTILE", node.this, node.args.get("expression") or node.args["quantile"])


def _boundaries(node: exp.DateDiff) -> exp.Expression:
    """DuckDB counts the months that begin in between, Spark those that are over."""
    number = NUMBERED.get(node.text("unit").upper())
    if not number:
        return node
    later, earlier = (exp.paren(expression(number, moment=side)) for side in (node.this, node.expression))
    return exp.paren(exp.Sub(this=later, expression=earlier))


def _truncated(node: exp.TimestampTrunc | exp.DateTrunc) -> exp.Expression:
    """Spark gives a moment in the session's time zone; ours have none."""
    if isinstance(node.parent, exp.Cast):
        return node
    return exp.cast(node.copy(), "TIMESTAMP", dialect="duckdb")


def _added(node: exp.DateAdd) -> exp.Expression:
    """Spark's DATE_ADD takes days alone."""
    if not isinstance(node.expression, exp.Interval):
        return node
    return exp.paren(exp.Add(this=node.this.copy(), expression=node.expression.copy()))


def _logarithm(node: exp.Log) -> exp.Expression:
    """DuckDB's LOG of one argument is to base 10, Spark's the natural one."""
    return node if node.args.get("expression") else call("LOG10", node.this)


def _function(node: exp.Anonymous) -> exp.Expression:
    """A hash is of 64 bits, as DuckDB's. What calls into the JVM is no SQL: an analyst could do anything with it."""
    if node.name.upper() in REFLECTION:
        raise ForbiddenFunction(f"{node.name} is no function here")
    return call("XXHASH64", *node.expressions) if node.name.upper() == "HASH" else node


def call(name: str, *arguments: exp.Expr) -> exp.Expression:
    """A function by its name in the other engine."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


REWRITES: dict[type[exp.Expression], Callable[..., exp.Expression]] = {
    exp.Div: _divided,
    exp.ArrayAgg: _or_null,
    exp.Filter: _or_null,
    exp.WithinGroup: _exact_percentile,
    exp.PercentileCont: _exact_percentile,
    exp.Quantile: _exact_percentile,
    exp.DateAdd: _added,
    exp.DateDiff: _boundaries,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.Log: _logarithm,
    exp.Anonymous: _function,
}
