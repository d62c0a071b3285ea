"""Our SQL for other engines: what they would run, or a sentence on what they have no words for."""

from __future__ import annotations

from typing import Any

from sqlglot import ErrorLevel, exp
from sqlglot.errors import OptimizeError, UnsupportedError
from sqlglot.optimizer.qualify import qualify

from clv_helpers.engines.dialect import DIALECT
from clv_helpers.engines.spark.dialect import LakeDatabricks, LakeSpark, spark_sql
from clv_helpers.engines.spark.maps import with_maps
from clv_helpers.engines.spark.ranks import TranslationError, first_by_order

TARGETS = ("spark", "snowflake", "bigquery", "databricks", "trino", "postgres")
SPARKS = {"spark": LakeSpark, "databricks": LakeDatabricks}
NO_EXCEPT = ("trino", "postgres")
# What sqlglot gives on to an engine that does not have it, without a word.
LACKING: dict[str, dict[type[exp.Expression], str]] = {
    "postgres": {exp.Struct: "structs with named fields", exp.MapFromEntries: "maps", exp.TryCast: "TRY_CAST"},
    "trino": {exp.Struct: "structs of fields whose type is not written down"},
    "bigquery": {exp.MapFromEntries: "maps"},
    "snowflake": {exp.MapFromEntries: "maps made of lists"},
}

Schema = dict[str, dict[str, str]]


def translate(query: exp.Expression, target: str, schema: Schema | None = None) -> str:
    """A query in our dialect as SQL text for one of TARGETS, pretty.

    `schema` (table → column → type) tells the columns that a * stands for, where the engine cannot leave some out.
    Raises TranslationError.
    """
    if target not in TARGETS:
        raise TranslationError(f"--to is {target!r}; allowed: {', '.join(TARGETS)}")
    if target in SPARKS:
        return spark_sql(query, pretty=True, dialect=SPARKS[target])
    query = with_maps(query, target).transform(first_by_order, target)
    for node in query.find_all(*LACKING[target]):
        if type(node) in LACKING[target]:
            raise TranslationError(f"{target} has no {LACKING[target][type(node)]}: {node.sql(DIALECT)}")
    if target in NO_EXCEPT and any(star.args.get("except_") for star in query.find_all(exp.Star)):
        query = _with_all_columns(query, target, schema or {})
    query = _qualified_inside(query)
    for added in query.find_all(exp.DateAdd):
        _with_unit(added)
    if target == "bigquery":
        _plain_window_order(query)
    if target == "trino":
        query = query.transform(_hash_of_text)
    try:
        return query.sql(target, pretty=True, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise TranslationError(f"{target}: {str(error).splitlines()[0]}") from None


def _with_all_columns(query: exp.Expression, target: str, schema: Schema) -> exp.Expression:
    nested: dict[str, Any] = {}
    for name, columns in schema.items():
        db, _, bare = name.partition(".")
        nested.setdefault(db, {})[bare] = columns
    try:
        query = qualify(query, dialect=DIALECT, schema=nested, quote_identifiers=False, validate_qualify_columns=False)
        left = next(
            (str(star.parent.sql(DIALECT)) for star in query.find_all(exp.Star) if star.args.get("except_")), ""
        )
    except OptimizeError as error:
        left = str(error)
    if left:
        raise TranslationError(f"{target} has no * without some columns, and these are not known yet: {left}")
    return query


def _qualified_inside(query: exp.Expression) -> exp.Expression:
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


def _plain_window_order(query: exp.Expression) -> None:
    """Without NULLS LAST, which BigQuery's sums over windows do not take: ours are ordered by what is never NULL."""
    for window in query.find_all(exp.Window):
        for ordered in window.find_all(exp.Ordered):
            ordered.set("nulls_first", not ordered.args.get("desc"))


def _hash_of_text(node: exp.Expression) -> exp.Expression:
    """Trino hashes bytes, and only of what is known to be text are they made."""
    if not isinstance(node, exp.MD5) or isinstance(node.this, exp.Cast):
        return node
    return exp.MD5(this=exp.cast(node.this.copy(), "VARCHAR"))
