"""Our SQL for other engines: what Spark and PostgreSQL run, and what sqlglot makes of it for others, untried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import ErrorLevel, exp
from sqlglot.errors import OptimizeError, UnsupportedError
from sqlglot.optimizer.qualify import qualify

from clv_helpers.engines import TARGETS as TARGETS
from clv_helpers.engines.dialect import DIALECT
from clv_helpers.engines.spark.dialect import call, spark_sql
from clv_helpers.errors import UserError

NO_EXCEPT = ("trino", "postgres")  # a * stands there for all columns, and none can be left out
# What sqlglot gives on to an engine that does not have it, without a word.
MAPS: dict[type[exp.Expr], str] = {exp.MapFromEntries: "maps made of lists"}
LACKING: dict[str, dict[type[exp.Expr], str]] = {
    "postgres": {exp.Struct: "structs with named fields", exp.TryCast: "TRY_CAST", **MAPS},
    "snowflake": MAPS,
    "bigquery": MAPS,
    "trino": MAPS,
}
Schema = Mapping[str, Mapping[str, str]]


class TranslationError(UserError):
    """SQL that an engine has no words for."""


def translate(query: exp.Expr, target: str, schema: Schema | None = None) -> str:
    """A query in our dialect as SQL text for one of TARGETS, pretty.

    `schema` (table → column → type) tells the columns that a * stands for, where the engine cannot leave some out.
    Raises TranslationError.
    """
    if target not in TARGETS:
        raise TranslationError(f"--to is {target!r}; allowed: {', '.join(TARGETS)}")
    if target in ("spark", "databricks"):  # which has all of Spark's SQL
        return spark_sql(query, pretty=True)
    query = _for_postgres(query) if target == "postgres" else query.copy()
    for kind, what in LACKING.get(target, {}).items():
        if node := query.find(kind):
            raise TranslationError(f"{target} has no {what}: {node.sql(DIALECT)}")
    if target in NO_EXCEPT and _incomplete_stars(query):
        query = _with_all_columns(query, target, schema or {})
    query = _qualified_inside(query)
    for added in query.find_all(exp.DateAdd):
        _with_unit(added)
    try:
        return query.sql(target, pretty=True, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise TranslationError(f"{target}: {str(error).splitlines()[0]}") from None


def _incomplete_stars(query: exp.Expr) -> list[exp.Expr]:
    return [star.parent or star for star in query.find_all(exp.Star) if star.args.get("except_")]


def _with_all_columns(query: exp.Expr, target: str, schema: Schema) -> exp.Expr:
    nested: dict[str, Any] = {}
    for name, columns in schema.items():
        db, _, bare = name.partition(".")
        nested.setdefault(db, {})[bare] = columns
    try:
        query = qualify(query, dialect=DIALECT, schema=nested, quote_identifiers=False, validate_qualify_columns=False)
        unknown = next((star.sql(DIALECT) for star in _incomplete_stars(query)), "")
    except OptimizeError as error:
        unknown = str(error)
    if unknown:
        raise TranslationError(f"{target} has no * without some columns, and these are not known yet: {unknown}")
    return query


def _qualified_inside(query: exp.Expr) -> exp.Expr:
    """QUALIFY in a subquery, ORDER BY and LIMIT outside: without QUALIFY, sqlglot would order before it filters."""
    for select in list(query.find_all(exp.Select)):
        after = {key: select.args[key] for key in ("order", "limit", "offset") if select.args.get(key)}
        if select.args.get("qualify") and after:
            for key in after:
                select.set(key, None)
            outer = exp.select("*").from_(select.copy().subquery("qualified"))
            for key, clause in after.items():
                outer.set(key, clause)
            if select is query:
                query = outer
            else:
                select.replace(outer)
    return query


def _with_unit(added: exp.DateAdd) -> None:
    """DATE_ADD of a number of days, and of an INTERVAL, with the unit beside the number: that all have words for."""
    step = added.expression
    if isinstance(step, exp.Interval):
        added.set("unit", step.args["unit"])
        added.set("expression", step.this)
    elif not added.args.get("unit"):  # PostgreSQL's would be seconds
        added.set("unit", exp.var("DAY"))


def _for_postgres(query: exp.Expr) -> exp.Expr:
    """A copy of a query, its maps, structs of maps, and firsts of an order in words that PostgreSQL has."""

    def rewritten(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.ArgMin | exp.ArgMax):
            return _first_in_order(node)
        if isinstance(node, exp.Struct) and all(_map_parts(field.expression) for field in node.expressions):
            pairs = [(exp.Literal.string(field.name), rewritten(field.expression)) for field in node.expressions]
            return call("JSONB_BUILD_OBJECT", *(part for pair in pairs for part in pair))
        parts = _map_parts(node)
        if not parts:
            return node
        made = call("JSONB_OBJECT_AGG", parts["key"], parts["value"])  # NULL of no rows, as ours
        return exp.Filter(this=made, expression=exp.Where(this=parts["where"].copy()))

    return query.transform(rewritten)


def _map_parts(node: exp.Expr) -> dict[str, exp.Expr]:
    """The parts of a map of ours; empty for anything else.

    Ours are MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': …, 'value': …}) FILTER (WHERE …))); keys and values are not NULL.
    """
    rows = node.this.this if isinstance(node, exp.MapFromEntries) and isinstance(node.this, exp.ArraySort) else None
    if not isinstance(rows, exp.Filter) or not isinstance(rows.this, exp.ArrayAgg):
        return {}
    entry = rows.this.this
    fields = {field.name: field.expression for field in entry.expressions} if isinstance(entry, exp.Struct) else {}
    return {**fields, "where": rows.expression.this} if fields.keys() == {"key", "value"} else {}


def _first_in_order(node: exp.ArgMin | exp.ArgMax) -> exp.Expr:
    """MAX_BY and MIN_BY: the first of the values that are not NULL, in their order; by a struct, field by field."""
    rank, known = node.expression, [_is_known(node.this)]
    branches = rank.args.get("ifs", []) if isinstance(rank, exp.Case) and not rank.args.get("default") else []
    if len(branches) == 1 and isinstance(branches[0].args["true"], exp.Struct):
        rank, known = branches[0].args["true"], [branches[0].this.copy(), *known]
    elif not isinstance(rank, exp.Struct):
        known = [_is_known(rank), *known]
    ranks = [rank] if not isinstance(rank, exp.Struct) else [field.expression or field for field in rank.expressions]
    modified = isinstance(node.parent, exp.Filter | exp.Window) or node.args.get("count")
    if modified or any(part.find(exp.Struct) for part in ranks):
        raise TranslationError(f"postgres has no words for {(node.parent or node).sql(DIALECT)}")
    latest = isinstance(node, exp.ArgMax)
    order = [exp.Ordered(this=part.copy(), desc=latest, nulls_first=False) for part in ranks]
    values = exp.ArrayAgg(this=exp.Order(this=node.this.copy(), expressions=order))
    first = exp.paren(exp.Filter(this=values, expression=exp.Where(this=exp.and_(*known))))
    return exp.Bracket(this=first, expressions=[exp.Literal.number(0)])


def _is_known(value: exp.Expr) -> exp.Expr:
    return exp.not_(exp.Is(this=value.copy(), expression=exp.null()))
