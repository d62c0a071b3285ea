"""INSERT, UPDATE and DELETE as queries: Spark's own tables take none, so a table that changes is written anew."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.engines.dialect import DIALECT, column, table, table_name
from clv_helpers.engines.spark.types import storable

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


def as_columns(query: exp.Expr, names: list[str], columns: dict[str, str]) -> exp.Select:
    """A query, whose columns are of these names in turn, with these columns, as stored; NULL for one not there."""
    alias = exp.TableAlias(this=exp.to_identifier("given"), columns=[exp.to_identifier(n, quoted=True) for n in names])
    chosen = [
        exp.cast(column(name) if name in names else exp.null(), storable(kind), dialect=DIALECT)
        for name, kind in columns.items()
    ]
    named = [value.as_(name, quoted=True) for value, name in zip(chosen, columns, strict=True)]
    return exp.select(*named).from_(exp.Subquery(this=query.copy(), alias=alias))


def whole_table(query: exp.Expr) -> str:
    """The table of which a query is just all rows and columns; empty for any other query."""
    source = query.args.get("from_") if isinstance(query, exp.Select) and query.is_star else None
    if source and isinstance(source.this, exp.Table) and query == exp.select("*").from_(source.this.copy()):
        return table_name(source.this)
    return ""


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
