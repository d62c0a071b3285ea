"""What must hold before readers see a refresh: keys, relations between tables, and what each table's Check says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlglot import exp

from clv_helpers.config.datasets import PERSONAL
from clv_helpers.engines.dialect import column, literal, mentions, table
from clv_helpers.engines.messages import without_values
from clv_helpers.engines.session import Session
from clv_helpers.models.table_file import Relation, Table, TableError

ORPHANS = """
    SELECT COUNT(*) AS orphans, MIN(m.value) AS first
    FROM (SELECT DISTINCT $value AS value FROM $source AS s) AS m
    LEFT JOIN (SELECT $key AS value FROM $target AS g) AS t ON t.value = m.value
    WHERE t.value IS NULL AND NOT m.value IS NULL
"""
BROKEN = "SELECT COUNT(*) AS broken FROM $source WHERE NOT COALESCE($condition, FALSE)"
# two sides without a value are equal
EQUAL = "SELECT $left AS one, $right AS other, $left IS NOT DISTINCT FROM $right AS holds"


class Checked(NamedTuple):
    """One check of a table: its kind (key, relation, invariant), what it asks, and what is wrong (empty: nothing)."""

    table: str
    kind: str
    asks: str
    wrong: str


def check_key(session: Session, model: Table, source: exp.Expr) -> None:
    """Raise TableError where rows of the table share a key or lack it.

    Cost: one pass over the key columns, and a grouping by a hash of them unless the query itself ends by grouping so.
    """
    wrong = _key_problem(session, model, source)
    if wrong:
        raise TableError(f"{model.name}: {wrong}", model.name)


def check(session: Session, tables: Iterable[Table], bindings: dict[str, Any], changed: set[str]) -> None:
    """Raise TableError for the first relation or invariant that does not hold, of those that a change could touch."""
    for tried in checks(session, tables, bindings, changed):
        if tried.wrong:
            raise TableError(f"{tried.table}: {tried.wrong}", tried.table)


def checks(
    session: Session, tables: Iterable[Table], bindings: dict[str, Any], changed: set[str] | None = None
) -> Iterable[Checked]:
    """Each relation and invariant of these tables, tried one after the other; with `changed`, those that read of these.

    Cost: of a relation, the distinct values of one column beside those of another.
    """
    keys = {model.name: model.key for model in tables}
    for model in tables:
        for relation in model.relations:
            if changed is None or {relation.table, relation.to_table} & changed:
                is_key = keys.get(relation.to_table) == (relation.to_column,)
                yield Checked(model.name, "relation", str(relation), _relation_problem(session, relation, is_key))
        for condition in model.checks:
            reads = {name for name, _ in mentions(condition)} | {model.name}
            if changed is None or reads & changed:
                asks = condition.sql(dialect="duckdb", comments=False)
                wrong = _invariant_problem(session, model, model.with_values(condition, bindings), asks)
                yield Checked(model.name, "invariant", asks, wrong)


def key_checks(session: Session, tables: Iterable[Table]) -> Iterable[Checked]:
    """The key of each of these tables, tried anew."""
    for model in tables:
        yield Checked(model.name, "key", ", ".join(model.key), _key_problem(session, model, table(model.name)))


def _key_problem(session: Session, model: Table, source: exp.Expr) -> str:
    keys = [column(name) for name in model.key]
    repeated = 0
    if not model.groups_by_key and _repeats(session, source, [exp.func("HASH", *keys)]):
        repeated = _repeats(session, source, keys)  # hashes of different keys may be the same
    is_empty = exp.or_(*(exp.Is(this=key, expression=exp.null()) for key in keys))
    nulls = session.scalar("SELECT COUNT(*) AS n FROM $source AS s WHERE $is_empty", source=source, is_empty=is_empty)
    if not repeated and not nulls:
        return ""
    return f"its key ({', '.join(model.key)}) repeats {repeated:,} times and is empty {nulls:,} times"


def _repeats(session: Session, source: exp.Expr, keys: Sequence[exp.Expr]) -> int:
    """How many keys more than one row has."""
    ones = exp.select(literal(1).as_("one")).from_(source.copy()).group_by(*keys).having("COUNT(*) > 1")
    return session.count(ones.subquery("r"))


def _relation_problem(session: Session, relation: Relation, is_key: bool) -> str:
    for name, needed in ((relation.table, relation.column), (relation.to_table, relation.to_column)):
        if not session.has_table(name):
            return f"its relation {relation} asks for {name}, and there is no such table"
        if needed not in (known := session.columns(table(name))):
            return f"its relation {relation} asks for {name}.{needed}; allowed: {', '.join(known)}"
    target = table(relation.to_table)
    if not is_key and (repeated := _repeats(session, target, [column(relation.to_column)])):
        return f"its relation {relation} leads to {repeated:,} values that several rows have; allowed: a key"
    orphans, first = session.rows(
        ORPHANS,
        source=table(relation.table),
        target=target,
        value=column(relation.column),
        key=column(relation.to_column),
    )[0].values()  # fmt: skip
    if not orphans:
        return ""
    such_as = "" if relation.column in PERSONAL or _told(first) != first else f", such as {first!r}"
    return (
        f"its relation {relation} is broken: {orphans:,} values of {relation.column} have no row in "
        f"{relation.to_table}{such_as}"
    )


def _invariant_problem(session: Session, model: Table, condition: exp.Expr, asks: str) -> str:
    """What is wrong with a condition: one on columns must hold in each row; of queries that are equated, both sides."""
    try:
        if not condition.find(exp.Query):
            count = session.scalar(BROKEN, source=table(model.name), condition=condition)
            return f"its check does not hold in {count:,} rows: {asks}" if count else ""
        if not isinstance(condition, exp.EQ):
            holds = session.scalar("SELECT $condition AS holds", condition=condition)
            return "" if holds else f"its check does not hold: {asks}"
        left, right, holds = session.rows(EQUAL, left=condition.this, right=condition.expression)[0].values()
        return "" if holds else f"its check does not hold: {asks} is {_told(left)} = {_told(right)}"
    except session.errors as error:
        return f"its check cannot be tried: {asks}: {without_values(error, asks)}"


def _told(value: Any) -> Any:
    """A value as an error may say it: a text can be of a person, and errors go to logs and alerts."""
    return "…" if isinstance(value, str | bytes | list | dict) else value
