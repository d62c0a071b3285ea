"""Which parts of a table a change of its inputs touches, as queries over what changed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import EVENT_TIME
from clv_helpers.config.same import Same
from clv_helpers.config.tables import is_dataset
from clv_helpers.engines.dialect import column, expression, literal, table, table_name, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.models.checkpoints import Checkpoint
from clv_helpers.models.table_file import Table

# What an engine need not read of events, where the part of a row is the day of its moment.
ON_TOUCHED_DAYS = """
    $moment >= (SELECT MIN($day) FROM touched) AND $moment < (SELECT DATE_ADD(MAX($day), INTERVAL 1 DAY) FROM touched)
"""


def touched_parts(
    session: Session, model: Table, query: exp.Query, before: Checkpoint | None, now: Checkpoint
) -> exp.Query | None:
    """The parts to which changed rows belong, as a query; None where they are not known, and all is to be built."""
    if before is None or before.definition != now.definition:
        return None
    events = {name for name in now.inputs if is_dataset(name) and EVENT_TIME in session.columns(table(name))}
    if before.as_of != now.as_of and not events:
        return None
    parts: list[exp.Query] = []
    for name, version in now.inputs.items():
        same_events = name not in events or before.as_of == now.as_of
        if version is not None and before.inputs.get(name) == version and same_events:
            continue
        if is_dataset(name):
            changed = _changed_events(name, before, now, is_events=name in events, lengths=_lengths(model))
        else:
            changed = _changed_rows(session, name, before)
        part = _part_of(session, model, query, name, changed) if changed else None
        if part is None:
            return None
        parts.append(exp.select("*").from_(part.subquery("part")))
    return exp.union(*parts) if parts[1:] else parts[0]


def restricted(session: Session, model: Table, query: exp.Query) -> str:
    """The query over the temporary table `touched` alone: wherever a row's part is known, only the touched ones.

    As SQL text: a stream asks for the same with each event, and to write it takes longer than to run it.
    """
    known = tuple(name for name in sorted(model.depends_on) if _knows_part(session, model, name))
    return _restricted(Same(model), Same(query), known)


@functools.lru_cache(maxsize=500)
def _restricted(of: Same[Table], whole: Same[exp.Query], known: tuple[str, ...]) -> str:
    model, query = of.thing, whole.thing.copy()
    for name in known:
        _replace_table(query, name, semi_join(table(name), model.part))
    if model.through:
        _replace_table(query, model.through, semi_join(table(model.through), model.part))
        _keep_to_touched_days(query, model)
    return to_sql(query)


def _keep_to_touched_days(query: exp.Query, model: Table) -> None:
    """Rows on other days than the touched ones, known by the moment alone, are not even read."""
    for select in [cte.this for cte in query.ctes if cte.alias == model.through and isinstance(cte.this, exp.Select)]:
        for made in [made for made in select.selects if made.alias in model.part]:
            day = made.unalias()
            if isinstance(day, exp.Cast) and day.is_type("date") and isinstance(day.this, exp.Column):
                select.where(expression(ON_TOUCHED_DAYS, moment=day.this, day=column(made.alias)), copy=False)


def semi_join(source: exp.Expr, part: Sequence[str]) -> exp.Select:
    """The rows of a source that belong to the touched parts."""
    using: list[Any] = [exp.to_identifier(name, quoted=True) for name in part]
    return exp.select("*").from_(source).join(table("touched"), using=using, join_type="semi")


def _knows_part(session: Session, model: Table, name: str) -> bool:
    """Whether an input has the columns of a part itself. Those of a dataset may be anybody's: there the CTE counts."""
    if model.through and is_dataset(name):
        return False
    return set(model.part) <= set(session.columns(table(name)))


def _part_of(session: Session, model: Table, query: exp.Query, name: str, changed: exp.Query) -> exp.Query | None:
    """The distinct parts of an input's changed rows."""
    parts = exp.select(*map(column, model.part)).distinct()
    if _knows_part(session, model, name):
        return parts.from_(changed.subquery("changed"))
    if not model.through:
        return None
    parts, ways = parts.from_(model.through), {name}
    for cte in query.ctes:
        body = _reading(cte.this, ways).copy()
        ways.add(cte.alias)
        _replace_table(body, name, changed)
        parts = parts.with_(cte.alias, as_=body)
        if cte.alias == model.through:
            break
    return parts


def _reading(query: exp.Query, ways: set[str]) -> exp.Query:
    """Of a union the parts to which a table's rows come; through the others none of them does."""
    if not isinstance(query, exp.Union) or query.ctes:
        return query
    sides = [_reading(side, ways) for side in (query.left, query.right)]
    there = [side for side in sides if any(table_name(mention) in ways for mention in side.find_all(exp.Table))]
    names_itself = len(there) == 1 and there[0].named_selects == query.named_selects  # else the first side names it
    return there[0] if names_itself else exp.union(*sides, distinct=bool(query.args.get("distinct")))


def _lengths(model: Table) -> list[exp.Expr]:
    """How far before as_of the windows begin that a query counts in, as intervals: `$as_of - INTERVAL 90 DAY`."""
    found = [node.expression for node in model.query.find_all(exp.Sub) if node.this.name == "as_of"]
    return [length for length in dict.fromkeys(found) if isinstance(length, exp.Interval)]


def _leaving(length: exp.Expr, before: Checkpoint, now: Checkpoint) -> exp.Expr:
    """Whether an event was in a window of this length, and no more is as as_of moved on."""
    first, last = (exp.Sub(this=literal(day), expression=length.copy()) for day in (before.as_of, now.as_of))
    was_in = exp.GTE(this=column(EVENT_TIME), expression=first)
    return exp.and_(was_in, exp.LT(this=column(EVENT_TIME), expression=last))


def _changed_events(
    name: str, before: Checkpoint, now: Checkpoint, *, is_events: bool, lengths: Sequence[exp.Expr] = ()
) -> exp.Query | None:
    """The rows of batches that came since, and the events that a later as_of lets in, or out of a window."""
    (newest, reverted), (_, reverted_now) = before.inputs[name], now.inputs[name]
    if reverted != reverted_now:
        return None
    tests: list[exp.Expr] = [exp.GT(this=column("_batch_id"), expression=literal(newest or 0))]
    if is_events and before.as_of != now.as_of:
        if before.as_of is None or now.as_of is None or now.as_of < before.as_of:
            return None
        tests.append(exp.GTE(this=column(EVENT_TIME), expression=literal(before.as_of)))
        tests += [_leaving(length, before, now) for length in lengths]
    return exp.select("*").from_(table(name)).where(exp.or_(*tests))


def _changed_rows(session: Session, name: str, before: Checkpoint) -> exp.Query | None:
    """The rows by which a table differs from what it was at the checkpoint, old and new."""
    delta = session.deltas.get(name)
    if not delta or not delta.since or delta.since != before.inputs.get(name):
        return None
    sides = [exp.select("*").from_(table(side)) for side in (delta.removed, delta.added)]
    return exp.union(*sides, distinct=False)


def _replace_table(query: exp.Expr, name: str, rows: exp.Query) -> None:
    """Put a subquery in the place of each mention of a table."""
    mentions = [t for t in query.find_all(exp.Table) if name == (f"{t.db}.{t.name}" if t.db else t.name)]
    for mention in mentions:
        mention.replace(rows.copy().subquery(mention.alias or mention.name))
