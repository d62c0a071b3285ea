"""For whom a rule's answer may have changed by the passing of time alone: windows that ran out, absences fulfilled."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.audiences.compile import PROFILE, Context, customer, event_column, event_table, later, when_test
from clv_helpers.audiences.rule import (
    AnyPart,
    Condition,
    EventCondition,
    SequenceCondition,
    Step,
    events_of,
    parts_of,
    walk,
)
from clv_helpers.audiences.when import Clock, When
from clv_helpers.config.datasets import EVENT_TIME
from clv_helpers.engines.dialect import literal, table


def swept(rule: AnyPart, context: Context, before: Clock) -> list[exp.Query]:
    """Customers for whom a condition may have changed since `before` by the passing of time alone.

    For each time constraint: those with an event or a day that is inside its bounds at one moment and not at the
    other. A superset is enough, as they are then evaluated.
    """
    queries = []
    for _, leaf in walk(rule):
        if isinstance(leaf, Condition) and leaf.when and leaf.when.moves():
            attribute = context.catalog.profile[leaf.field]
            column = exp.column(leaf.field, table=PROFILE, quoted=True)
            changed = _changed(leaf.when, column, attribute.kind, before, context.clock)
            queries.append(exp.select(customer(PROFILE)).from_(table("profile.customer").as_(PROFILE)).where(changed))
        for event in events_of(leaf):
            queries += _of_events(event, context, before)
        if isinstance(leaf, SequenceCondition):
            queries += _of_absences(leaf, context, before)
    return queries


def _of_events(event: EventCondition | Step, context: Context, before: Clock) -> list[exp.Query]:
    """Customers with events that only now lie before the moment of evaluation, or that a constraint let in or out."""
    moment = event_column(EVENT_TIME)
    came = exp.GTE(this=moment, expression=literal(before.now))
    queries = [exp.select(customer("e")).from_(event_table(event, context)).where(came)]
    constraints = [(event.when, EVENT_TIME)] if event.when else []
    constraints += [(c.when, c.field) for c in _conditions(event.where) if c.when]
    for when, name in [(when, name) for when, name in constraints if when.moves()]:
        kind = context.catalog.events[event.event][name].kind
        changed = _changed(when, event_column(name), kind, before, context.clock)
        queries.append(exp.select(customer("e")).from_(event_table(event, context)).where(changed))
    return queries


def _of_absences(leaf: SequenceCondition, context: Context, before: Clock) -> list[exp.Query]:
    """Customers for whom the time of an awaited event ran out in between."""
    queries = []
    for index, step in enumerate(leaf.sequence):
        if step.absent and step.within:
            previous = next(s for s in reversed(leaf.sequence[:index]) if not s.absent)
            ends = later(event_column(EVENT_TIME), step.within)
            ran_out = exp.and_(
                exp.GTE(this=ends, expression=literal(before.now)),
                exp.LTE(this=ends.copy(), expression=literal(context.clock.now)),
            )
            queries.append(exp.select(customer("e")).from_(event_table(previous, context)).where(ran_out))
    return queries


def _changed(when: When, column: exp.Expression, kind: str, before: Clock, now: Clock) -> exp.Expression:
    sides = [exp.paren(when_test(when, column.copy(), kind, clock)) for clock in (before, now)]
    known = exp.Not(this=exp.Is(this=column.copy(), expression=exp.null()))
    return exp.and_(known, exp.NEQ(this=sides[0], expression=sides[1]))


def _conditions(where: AnyPart | None) -> list[Condition]:
    if where is None:
        return []
    return [where] if isinstance(where, Condition) else [c for part in parts_of(where) for c in _conditions(part)]
