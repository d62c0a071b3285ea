"""Spark's SQL from ours. Where sqlglot's translation gives another result or none, the tree is rewritten first.

Each rewrite is a function from one node to another; `REWRITES` lists them by the node they are for.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp, transforms
from sqlglot.dialects.spark import Spark

from clv_helpers.errors import UserError

REFLECTION = ("REFLECT", "TRY_REFLECT", "JAVA_METHOD")
BOUNDARIES = {"MONTH": (exp.Month, 12), "QUARTER": (exp.Quarter, 4), "YEAR": (None, 1)}


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


def _collected(node: exp.ArrayAgg) -> exp.Expression:
    """A list of no rows is NULL; Spark's is an empty one."""
    if isinstance(node.parent, exp.Filter):
        return node
    return _or_null(node)


def _collected_filtered(node: exp.Filter) -> exp.Expression:
    return _or_null(node) if isinstance(node.this, exp.ArrayAgg) else node


def _or_null(node: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="NULLIF", expressions=[node.copy(), exp.Anonymous(this="ARRAY")])


def _exact_percentile(node: exp.WithinGroup | exp.PercentileCont | exp.Quantile) -> exp.Expression:
    """sqlglot would make it PERCENTILE_APPROX."""
    if not isinstance(node, exp.WithinGroup):
        if isinstance(node.parent, exp.WithinGroup):
            return node
        share: exp.Expr = node.args.get("expression") or node.args["quantile"]
        return exp.Anonymous(this="PERCENTILE", expressions=[node.this.copy(), share.copy()])
    if not isinstance(node.this, exp.PercentileCont):
        return node
    ordered = node.expression.expressions[0]
    return exp.Anonymous(this="PERCENTILE", expressions=[ordered.this.copy(), node.this.this.copy()])


def _boundaries(node: exp.DateDiff) -> exp.Expression:
    """DuckDB counts the months that begin in between, Spark those that are over."""
    unit = node.text("unit").upper()
    if unit not in BOUNDARIES:
        return node
    later, earlier = (_numbered(side, unit) for side in (node.this, node.expression))
    return exp.paren(exp.Sub(this=later, expression=exp.paren(earlier)))


def _numbered(moment: exp.Expression, unit: str) -> exp.Expression:
    """The number of a moment's month, quarter or year, counted from the beginning of time."""
    part, per_year = BOUNDARIES[unit]
    year = exp.Year(this=moment.copy())
    if part is None:
        return year
    return exp.Add(
        this=exp.Mul(this=year, expression=exp.Literal.number(per_year)), expression=part(this=moment.copy())
    )


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
    return node if node.args.get("expression") else exp.Anonymous(this="LOG10", expressions=[node.this.copy()])


def _function(node: exp.Anonymous) -> exp.Expression:
    """A hash is of 64 bits, as DuckDB's. What calls into the JVM is no SQL: an analyst could do anything with it."""
    if node.name.upper() in REFLECTION:
        raise ForbiddenFunction(f"{node.name} is no function here")
    if node.name.upper() != "HASH":
        return node
    return exp.Anonymous(this="XXHASH64", expressions=[argument.copy() for argument in node.expressions])


REWRITES: dict[type[exp.Expression], Callable[..., exp.Expression]] = {
    exp.Div: _divided,
    exp.ArrayAgg: _collected,
    exp.Filter: _collected_filtered,
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
