"""UPDATE and DELETE as queries: Spark's own tables take neither, so a table that changes is written anew."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.engines.dialect import column, table

CHANGED = "_is_changed"


def listed_values(source: exp.Expr) -> exp.Query:
    """What an INSERT inserts, as a query also where it is VALUES."""
    if isinstance(source, exp.Query) and not isinstance(source, exp.Values):
        return source
    rows = [exp.select(*(value.copy() for value in row.expressions)) for row in source.expressions]
    return exp.union(*rows, distinct=False) if rows[1:] else rows[0]


def kept_by_delete(tree: exp.Delete) -> exp.Select:
    """The rows that a DELETE leaves: also those for which its test is NULL."""
    where = _local(tree.args["where"].this)
    return exp.select("*").from_(tree.this.copy()).where(exp.not_(exp.func("COALESCE", where, exp.false())))


def changed_by_update(tree: exp.Update, names: dict[str, str]) -> exp.Query:
    """All rows of the table as an UPDATE leaves them.

    With FROM, no row of the table may be met by two of its rows; then the first that comes would count on DuckDB, too.
    """
    values = {change.this.name: _local(change.expression) for change in tree.expressions}
    where = _local(tree.args["where"].this)
    source = tree.args.get("from_")
    if source is None:
        test = exp.func("COALESCE", where, exp.false())
        marked = exp.select("*", test.as_(CHANGED)).from_(tree.this.copy()).subquery("marked")
        chosen = [_chosen(name, values, column(CHANGED), column(name)) for name in names]
        return exp.select(*chosen).from_(marked)
    alias = source.this.alias or source.this.name
    rows = exp.select("*", exp.true().as_(CHANGED)).from_(source.this.copy()).subquery(alias)
    test = exp.func("COALESCE", exp.column(CHANGED, table=alias), exp.false())
    old = tree.this.name
    chosen = [_chosen(name, values, test, exp.column(name, table=old, quoted=True)) for name in names]
    return exp.select(*chosen).from_(table(f"{tree.this.db}.{old}")).join(rows, on=where, join_type="left")


def _chosen(name: str, values: dict[str, exp.Expr], test: exp.Expr, old: exp.Column) -> exp.Expr:
    if name not in values:
        return old.as_(name, quoted=True)
    return exp.Case().when(test.copy(), values[name].copy()).else_(old).as_(name, quoted=True)


def _local(value: exp.Expr) -> exp.Expr:
    """Columns named with their table alone, without its schema."""
    value = value.copy()
    for mention in value.find_all(exp.Column):
        mention.set("db", None)
    return value
