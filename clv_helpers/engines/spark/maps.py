"""Maps of what is found in a group's rows, in the words of engines that cannot make them of lists.

Ours are MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': …, 'value': …}) FILTER (WHERE …))), and NULL where no row is met; a
struct with a map in each field holds them together. Keys and values are never NULL: some engines would leave them out.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

Maker = Callable[[exp.Expression, exp.Expression, exp.Expression], exp.Expression]


def with_maps(query: exp.Expression, target: str) -> exp.Expression:
    """A copy of a query, its maps and the structs around them as the target writes them."""
    if target not in MAPS:
        return query.copy()
    make, together = MAPS[target]

    def rewritten(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Struct) and all(_parts(each.expression) for each in node.expressions):
            names = [exp.Literal.string(each.name) for each in node.expressions]
            return together(names, [rewritten(each.expression) for each in node.expressions])
        parts = _parts(node)
        return make(*parts) if parts else node

    return query.transform(rewritten)


def _parts(node: exp.Expression) -> tuple[exp.Expression, exp.Expression, exp.Expression] | None:
    """Key, value and condition of one of our maps; None for anything else."""
    rows = node.this.this if isinstance(node, exp.MapFromEntries) and isinstance(node.this, exp.ArraySort) else None
    if not isinstance(rows, exp.Filter) or not isinstance(rows.this, exp.ArrayAgg):
        return None
    entry = rows.this.this
    fields = {each.name: each.expression for each in entry.expressions} if isinstance(entry, exp.Struct) else {}
    return (fields["key"], fields["value"], rows.expression.this) if fields.keys() == {"key", "value"} else None


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=[each.copy() for each in arguments])


def _filtered(name: str) -> Maker:
    """name(key, value) FILTER (WHERE …), NULL of no rows."""
    return lambda key, value, where: exp.Filter(this=_call(name, key, value), expression=exp.Where(this=where.copy()))


def _if_any(where: exp.Expression, made: exp.Expression) -> exp.Expression:
    """NULL where no row is met: there an aggregate of none is an empty object."""
    met = exp.GT(this=exp.Count(this=_when(where, exp.Literal.number(1))), expression=exp.Literal.number(0))
    return exp.Case().when(met, made)


def _when(where: exp.Expression, value: exp.Expression) -> exp.Case:
    return exp.Case().when(where.copy(), value.copy())


def _object_agg(key: exp.Expression, value: exp.Expression, where: exp.Expression) -> exp.Expression:
    """Snowflake's leaves out the rows whose key is NULL; its values are of no fixed type."""
    variant = exp.cast(value.copy(), "VARIANT", dialect="snowflake")
    return _if_any(where, _call("OBJECT_AGG", _when(where, key), variant))


def _json_object(key: exp.Expression, value: exp.Expression, where: exp.Expression) -> exp.Expression:
    """BigQuery's takes a list of keys and one of values, in the same order."""
    order = exp.Ordered(this=key.copy(), nulls_first=True)
    lists = [
        exp.ArrayAgg(this=exp.Order(this=exp.IgnoreNulls(this=_when(where, each)), expressions=[order.copy()]))
        for each in (key, value)
    ]
    return _if_any(where, _call("JSON_OBJECT", *lists))


def _paired(name: str) -> Callable[[list[exp.Expression], list[exp.Expression]], exp.Expression]:
    """name(key, value, key, value, …)"""
    return lambda names, values: _call(name, *(each for pair in zip(names, values, strict=True) for each in pair))


def _map_of(names: list[exp.Expression], values: list[exp.Expression]) -> exp.Expression:
    return _call("MAP", exp.Array(expressions=names), exp.Array(expressions=values))


MAPS = {
    "snowflake": (_object_agg, _paired("OBJECT_CONSTRUCT_KEEP_NULL")),
    "bigquery": (_json_object, _paired("JSON_OBJECT")),
    "trino": (_filtered("MAP_AGG"), _map_of),
    "postgres": (_filtered("JSONB_OBJECT_AGG"), _paired("JSONB_BUILD_OBJECT")),
}
