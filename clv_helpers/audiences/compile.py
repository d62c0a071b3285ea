"""From a rule to one query over profile, events and memberships.

What concerns one row, of the profile or of events, is a test of conditions/row_test.py.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from clv_helpers.audiences.catalog import Catalog
from clv_helpers.audiences.composition import Drawn, Given
from clv_helpers.audiences.places import first_places, is_drawn
from clv_helpers.audiences.rule import (
    AnyPart,
    Audience,
    AudienceCondition,
    Event,
    EventCondition,
    MapCondition,
    Rule,
    SequenceCondition,
    Step,
)
from clv_helpers.conditions.condition import Condition, conditions_of
from clv_helpers.conditions.row_test import TESTS, any_of, container_test, of, row_test, value_test, when_test
from clv_helpers.conditions.when import Clock, bounds
from clv_helpers.config.datasets import EVENT_TIME, PRIMARY_IDENTITY
from clv_helpers.config.deciles import BUILT_IN
from clv_helpers.config.event_rows import event_rows
from clv_helpers.config.params import Params
from clv_helpers.engines.dialect import expression, literal, parse, table

# An average as an exact sum divided once does not depend on the order of the rows.
AGGREGATES = {
    "count": "COUNT(*)", "sum": "SUM($column)", "min": "MIN($column)", "max": "MAX($column)",
    "average": "CAST(SUM($column) AS DOUBLE) / COUNT($column)",
}  # fmt: skip
PROFILE, EVENT = "p", "e"
GIVEN = "given"  # the temporary table of those whom SQL or a list gives
CUSTOMERS = 'SELECT p."customer_id" FROM "profile"."customer" AS p WHERE $test'
MEMBERS = (
    "SELECT m.customer_id FROM audiences.membership_period AS m WHERE m.audience = $audience AND m.left_at IS NULL"
)
DECILES = (
    "SELECT d.customer_id FROM derived.customer_decile AS d "
    "WHERE d.category = $category AND d.lookback_months = $lookback_months"
)
ENTRY = ("map", "category", "lookback_months", "lookback")
RANKS = (
    "SELECT d.customer_id FROM derived.customer_rank AS d "
    "WHERE d.name = $map AND d.category = $category AND d.lookback = $lookback"
)
EVENTS = 'SELECT e."customer_id" FROM $source AS e WHERE e."occurred_at" < $now'
FOLLOWED = (
    'SELECT DISTINCT n."customer_id", n."occurred_at" FROM $so_far AS c '
    'JOIN $following AS n ON c."customer_id" = n."customer_id" AND $in_gap'
)


@dataclass(frozen=True)
class Context:
    """Where an audience is read: the columns, the moment, the table of each dataset of events.

    `params`: of the workbook, which say how lookups join events; none where no rule asks for a lookup. `name`: the
    audience's, by which its customers are drawn. `given`: those whom its SQL or its list gives.
    """

    catalog: Catalog
    clock: Clock
    events: dict[str, str]
    params: Params | None = None
    name: str = ""
    given: exp.Query = field(default_factory=lambda: _query(f"SELECT g.customer_id FROM {GIVEN} AS g"))


def to_customers(rule: AnyPart, context: Context) -> exp.Select:
    """The customers who meet a rule: one row each, with customer_id."""
    return _query(CUSTOMERS, test=to_test(rule, context))


def to_members(audience: Audience, context: Context) -> exp.Select:
    """The customers of an audience: who is chosen, without those excluded, as far as its rank lets them stay."""
    if audience.rank is None:
        return to_customers(audience.whole, context)
    first = first_places(audience.rank, context.name, of(PROFILE, PRIMARY_IDENTITY), to_test(audience.whole, context))
    return _query(CUSTOMERS, test=_is_among(first))


def to_test(part: AnyPart, context: Context, exact: bool = False) -> exp.Expr:
    """A part of a rule as a test of a row of the profile (alias p).

    `exact`: false where it is not met. Otherwise it may be NULL, which a WHERE takes for false, and faster.
    """
    match part:
        case Rule():
            return container_test(part, lambda inner, exactly: to_test(inner, context, exactly), exact)
        case Condition():
            return row_test(part, context.catalog.profile, PROFILE, context.clock, exact)
        case MapCondition():
            return _map_test(part)
        case EventCondition():
            return _event_test(part, context)
        case SequenceCondition():
            return _is_among(_sequence(part, context))
        case AudienceCondition():
            return _is_among(_query(MEMBERS, audience=part.audience))
        case Drawn():
            return is_drawn(part, of(PROFILE, PRIMARY_IDENTITY))
        case Given():
            return _is_among(context.given.copy())


def _query(text: str, **bindings: object) -> exp.Select:
    return expression(text, **bindings).assert_is(exp.Select)


def _is_among(customers: exp.Query) -> exp.Expr:
    return exp.In(this=of(PROFILE, PRIMARY_IDENTITY), query=customers.subquery(copy=False))


def _map_test(condition: MapCondition) -> exp.Expr:
    is_built_in = condition.map == BUILT_IN
    entries = _query(DECILES if is_built_in else RANKS, **condition.model_dump(include={*ENTRY}))
    has_entry = _is_among(entries)
    if condition.op in ("exists", "missing"):
        return exp.not_(has_entry) if condition.op == "missing" else has_entry
    place = exp.column("decile" if is_built_in else "place", table="d")
    met = _is_among(entries.where(value_test(condition.op, condition.value, place)))
    return any_of(met, exp.not_(has_entry)) if condition.or_missing else met


def _event_test(event: EventCondition, context: Context) -> exp.Expr:
    if event.op == "all":
        met = _where(event, context, exact=True)
        every = expression("MIN(CASE WHEN $met THEN 1 ELSE 0 END) = 1", met=met)
        return _is_among(_grouped(_events(event, context, with_where=False), every))
    events = _events(event, context)
    if event.op == "at least" and event.value == 1 and event.aggregate == "count":
        return _is_among(events)
    if event.op in ("equals", "at most") and event.value == 0 and event.aggregate == "count":
        return exp.not_(_is_among(events))
    test = value_test(event.op, event.value, expression(AGGREGATES[event.aggregate], column=of(EVENT, event.of or "")))
    # those without any such event are not among the rows: where it holds for 0, ask for whom it does not hold
    if event.aggregate == "count" and simplify(value_test(event.op, event.value, literal(0))) == exp.true():
        return exp.not_(_is_among(_grouped(events, exp.not_(test))))
    return _is_among(_grouped(events, test))


def _grouped(events: exp.Select, having: exp.Expr) -> exp.Select:
    return events.group_by(of(EVENT, PRIMARY_IDENTITY), copy=False).having(having, copy=False)


def _events(event: Event, context: Context, with_where: bool = True) -> exp.Select:
    """The events a condition is about: a row each, with customer_id."""
    tests = [] if event.when is None else [when_test(event.when, of(EVENT, EVENT_TIME), "timestamp", context.clock)]
    if with_where and event.where is not None:
        tests.append(_where(event, context))
    query = _query(EVENTS, source=_rows(event, context), now=context.clock.now)
    return query.where(*tests, copy=False)


def _rows(event: Event, context: Context) -> exp.Expr:
    """The rows of the event's dataset, with the columns of those lookups that are asked for."""
    asked = [condition.field for _, condition in conditions_of(event.where)]
    asked += [condition.than for _, condition in conditions_of(event.where) if condition.than]
    asked += [event.of] if isinstance(event, EventCondition) and event.of else []
    lookups = {name.partition(".")[0] for name in asked if "." in name}
    sessions = context.params.sessions if context.params else {}
    if context.params is None or not (lookups or event.event in sessions):
        return table(context.events[event.event])
    return event_rows(context.params, event.event, lookups)


def _where(event: Event, context: Context, exact: bool = False) -> exp.Expr:
    """What is asked of the event's own columns."""
    if event.where is None:
        return exp.true()
    return row_test(event.where, context.catalog.events[event.event], EVENT, context.clock, exact)


def _sequence(leaf: SequenceCondition, context: Context) -> exp.Select:
    """The customers for whom the steps follow each other.

    Step by step it keeps the moments at which the sequence so far can end: what comes next depends on no more.
    """
    so_far = _moments(leaf.sequence[0], context)
    absent: list[Step] = []
    since = _earliest(leaf.sequence[0], context)
    for step in leaf.sequence[1:]:
        if step.absent:
            absent.append(step)
            continue
        following = _moments(step, context, since)
        query = _query(FOLLOWED, so_far=so_far, following=following, in_gap=exp.and_(*_in_gap("n", step)))
        so_far = _without(query, absent, context, since, until="n")
        absent, since = [], max(since, _earliest(step, context))
    customers = _query('SELECT c."customer_id" FROM $so_far AS c', so_far=so_far)
    for step in absent:
        if step.within:
            ended = of("c", EVENT_TIME) + _interval(step.within)
            customers.where(ended <= literal(context.clock.now), copy=False)
    return _without(customers, absent, context, since)


def _earliest(step: Step, context: Context) -> dt.datetime:
    """No event after this step lies before this moment, so later ones need not be read from further back."""
    low = bounds(step.when, context.clock).low if step.when and not step.when.ignore_year else None
    return low or dt.datetime.min


def _without(
    query: exp.Select, absent: list[Step], context: Context, since: dt.datetime, until: str = ""
) -> exp.Select:
    """Leave out the moments after which one of the absent events came, in its time and before `until`."""
    for index, step in enumerate(absent):
        alias = f"x{index}"
        came = [of("c", PRIMARY_IDENTITY).eq(of(alias, PRIMARY_IDENTITY)), *_in_gap(alias, step)]
        came += [of(alias, EVENT_TIME) < of(until, EVENT_TIME)] if until else []
        others = _moments(step, context, since).subquery(alias, copy=False)
        query.join(others, on=exp.and_(*came, copy=False), join_type="left", copy=False)
        query.where(expression(TESTS["missing"], column=of(alias, PRIMARY_IDENTITY)), copy=False)
    return query


def _moments(step: Step, context: Context, since: dt.datetime = dt.datetime.min) -> exp.Select:
    query = _events(step, context).select(of(EVENT, EVENT_TIME), copy=False)
    return query.where(of(EVENT, EVENT_TIME) >= literal(since), copy=False) if since > dt.datetime.min else query


def _in_gap(alias: str, step: Step) -> list[exp.Expr]:
    """That an event comes after the moment so far (alias c), and in the step's time."""
    begun, then = of("c", EVENT_TIME), of(alias, EVENT_TIME)
    tests: list[exp.Expr] = [then > begun]
    tests += [then >= begun + _interval(step.after)] if step.after else []
    return tests + ([then <= begun + _interval(step.within)] if step.within else [])


def _interval(gap: str) -> exp.Expr:
    return parse(f"INTERVAL '{gap.split()[0]}' {gap.split()[1].removesuffix('s')}")
