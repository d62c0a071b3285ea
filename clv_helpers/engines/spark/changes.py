"""UPDATE and DELETE as queries: Spark's own tables take neither, so a table that changes is written anew."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.engines.dialect import column, table

HIT = "_is_hit"


def listed_values(source: exp.Expression) -> exp.Query:
    """What an INSERT inserts, as a query also where it is VALUES."""
    if not isinstance(source, exp.Values):
        return source
    rows = [exp.select(*(each.copy() for each in row.expressions)) for row in source.expressions]
    return exp.union(*rows, distinct=False) if rows[1:] else rows[0]


def kept_by_delete(tree: exp.Delete) -> exp.Select:
    """The rows that a DELETE leaves: also those for which its test is NULL."""
    where = _local(tree.args["where"].this)
    return exp.select("*").from_(tree.this.copy()).where(exp.not_(exp.func("COALESCE", where, exp.false())))


def changed_by_update(tree: exp.Update, names: dict[str, str]) -> exp.Query:
    """All rows of the table as an UPDATE leaves them.

    With FROM, no row of the table may be met by two of its rows; then the first that comes would count on DuckDB, too.
    """
    values = {each.this.name: _local(each.expression) for each in tree.expressions}
    where = _local(tree.args["where"].this)
    source = tree.args.get("from_")
    if source is None:
        hit = exp.func("COALESCE", where, exp.false())
        marked = exp.select("*", hit.as_(HIT)).from_(tree.this.copy()).subquery("marked")
        chosen = [_chosen(name, values, column(HIT), column(name)) for name in names]
        return exp.select(*chosen).from_(marked)
    alias = source.this.alias or source.this.name
    rows = exp.select("*", exp.true().as_(HIT)).from_(source.this.copy()).subquery(alias)
    hit = exp.func("COALESCE", exp.column(HIT, table=alias), exp.false())
    old = tree.this.name
    chosen = [_chosen(name, values, hit, exp.column(name, table=old, quoted=True)) for name in names]
    return exp.select(*chosen).from_(table(_dotted(tree.this))).join(rows, on=where, join_type="left")


def _chosen(name: str, values: dict[str, exp.Expression], hit: exp.Expression, old: exp.Column) -> exp.Expression:
    if name not in values:
        return old.as_(name, quoted=True)
    return exp.Case().when(hit.copy(), values[name].copy()).else_(old).as_(name, quoted=True)


def _local(expression: exp.Expression) -> exp.Expression:
    """Columns named with their table alone, without its schema."""
    expression = expression.copy()
    for each in expression.find_all(exp.Column):
        each.set("db", None)
    return expression


def _dotted(mention: exp.Table) -> str:
    return f"{mention.db}.{mention.name}"
