"""From a rule to one query over profile, events and memberships.

Values become literals and nothing else, columns come from the catalog. A customer without a value meets no condition
on it; SQL spells that out wherever a NULL would otherwise pass a NOT.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from clv_helpers.audiences.catalog import Attribute, Catalog
from clv_helpers.audiences.rule import (
    AnyPart,
    AudienceCondition,
    Condition,
    Event,
    EventCondition,
    MapCondition,
    Rule,
    SequenceCondition,
    Step,
    Value,
    as_list,
    parts_of,
)
from clv_helpers.audiences.when import Clock, When, bounds, month_days
from clv_helpers.config.datasets import EVENT_TIME, PRIMARY_IDENTITY
from clv_helpers.engines.dialect import bind, is_in, literal, parse, table

# Each operator as a test, which is NULL where the column is; `in` and what begins with `not` are made from these.
TESTS = {
    "equals": "$column = $value", "not equals": "$column <> $value", "at most": "$column <= $value",
    "at least": "$column >= $value", "less than": "$column < $value", "more than": "$column > $value",
    "between": "$column BETWEEN $value AND $other", "exists": "NOT $column IS NULL", "missing": "$column IS NULL",
    "contains": "CONTAINS($column, $value)", "starts with": "STARTS_WITH($column, $value)",
    "ends with": "ENDS_WITH($column, $value)", "matches": "REGEXP_MATCHES($column, $value)",
}  # fmt: skip
# An average as an exact sum divided once does not depend on the order of the rows.
AGGREGATES = {
    "count": "COUNT(*)", "sum": "SUM($column)", "min": "MIN($column)", "max": "MAX($column)",
    "average": "CAST(SUM($column) AS DOUBLE) / COUNT($column)",
}  # fmt: skip
PROFILE, EVENT = "p", "e"
CUSTOMERS = 'SELECT p."customer_id" FROM "profile"."customer" AS p WHERE $test'
MEMBERS = (
    "SELECT m.customer_id FROM audiences.membership_period AS m WHERE m.audience = $audience AND m.left_at IS NULL"
)
DECILES = (
    "SELECT d.customer_id FROM derived.customer_decile AS d "
    "WHERE d.category = $category AND d.lookback_months = $lookback_months"
)
EVENTS = 'SELECT e."customer_id" FROM $source AS e WHERE e."occurred_at" < $now'
FOLLOWED = (
    'SELECT DISTINCT n."customer_id", n."occurred_at" FROM $so_far AS c '
    'JOIN $following AS n ON c."customer_id" = n."customer_id" AND $in_gap'
)


@dataclass(frozen=True)
class Context:
    """Where a rule is read: the columns, the moment, the table of each dataset of events."""

    catalog: Catalog
    clock: Clock
    events: dict[str, str]


def to_customers(rule: AnyPart, context: Context) -> exp.Select:
    """The customers who meet a rule: one row each, with customer_id."""
    return _query(CUSTOMERS, test=to_test(rule, context))


def to_test(part: AnyPart, context: Context, exact: bool = False, event: Event | None = None) -> exp.Expr:
    """A part of a rule as a test of a row of the profile (alias p), or of a row of an event (alias e) for its `where`.

    `exact`: false where it is not met. Otherwise it may be NULL, which a WHERE takes for false, and faster.
    """
    match part:
        case Rule(not_=inner) if inner is not None:
            return exp.not_(to_test(inner, context, True, event), copy=False)
        case Rule():
            tests = [to_test(inner, context, exact, event) for inner in parts_of(part)]
            return exp.and_(*tests, copy=False) if part.kind == "all" else _any(*tests)
        case Condition():
            columns = context.catalog.events[event.event] if event else context.catalog.profile
            return _attribute_test(part, columns[part.field], EVENT if event else PROFILE, context.clock, exact)
        case MapCondition():
            return _map_test(part)
        case EventCondition():
            return _event_test(part, context)
        case SequenceCondition():
            return _is_among(_sequence(part, context))
        case AudienceCondition():
            return _is_among(_query(MEMBERS, audience=part.audience))


_parsed = functools.cache(parse)  # the same few texts for every condition of every rule


def _sql(text: str, **bindings: object) -> exp.Expression:
    return bind(_parsed(text), bindings)


def _query(text: str, **bindings: object) -> exp.Select:
    return _sql(text, **bindings).assert_is(exp.Select)


def _is_among(customers: exp.Query) -> exp.Expr:
    return exp.In(this=of(PROFILE, PRIMARY_IDENTITY), query=customers.subquery(copy=False))


def _any(*tests: exp.Expr) -> exp.Expr:
    return exp.paren(exp.or_(*tests, copy=False), copy=False)


def of(alias: str, name: str) -> exp.Column:
    """A column of what bears an alias in the query."""
    return exp.column(name, table=alias, quoted=True)


def _attribute_test(condition: Condition, attribute: Attribute, alias: str, clock: Clock, exact: bool) -> exp.Expr:
    column = of(alias, condition.field)
    if condition.when:
        test = _when_test(condition.when, column, attribute.kind, clock)
    else:
        test = _value_test(condition.op or "", condition.value, column, condition.ignore_case)
    if condition.op in ("exists", "missing"):
        return test
    if condition.or_missing:
        return _any(_sql(TESTS["missing"], column=column), test)
    return exp.paren(exp.and_(_sql(TESTS["exists"], column=column), test, copy=False), copy=False) if exact else test


def _value_test(op: str, value: Value | list[Value] | None, column: exp.Expr, ignore_case: bool = False) -> exp.Expr:
    """An operator and its value; NULL where the column is."""
    values = as_list(value)
    if ignore_case and op.endswith("matches"):
        values = [f"(?i){values[0]}"]
    elif ignore_case and values:
        column, values = exp.Lower(this=column), [str(text).lower() for text in values]
    if op in TESTS:
        first, other = [*values, None, None][:2]
        return _sql(TESTS[op], column=column, value=first, other=other)
    positive = op.removeprefix("not ")
    test = is_in(column, values) if positive == "in" else _sql(TESTS[positive], column=column, value=values[0])
    return exp.Not(this=test) if op.startswith("not ") else test


def _when_test(when: When, column: exp.Expr, kind: str, clock: Clock) -> exp.Expr:
    """A time constraint as a test of a column of type date or timestamp; NULL where the column is."""
    if when.ignore_year:
        return _month_day_test(when, column, kind, clock)
    span = bounds(when, clock)
    low: dt.date | None = span.low
    high: dt.date | None = span.high
    if kind == "date":
        # a day counts as its beginning, so the days before an open end are those before the first day from it
        low = span.low and _first_day_from(span.low, clock)
        high = span.high and (_day_of(span.high, clock) if span.closed else _first_day_from(span.high, clock))
    until = TESTS["at most" if span.closed else "less than"]
    tests = [] if low is None else [_sql(TESTS["at least"], column=column, value=low)]
    tests += [] if high is None else [_sql(until, column=column, value=high)]
    return exp.and_(*tests)


def _day_of(moment: dt.datetime, clock: Clock) -> dt.date:
    return replace(clock, now=moment).today


def _first_day_from(moment: dt.datetime, clock: Clock) -> dt.date:
    """The first day that begins at or after a moment."""
    day = _day_of(moment, clock)
    return day if clock.begin(day) >= moment else day + dt.timedelta(days=1)


def _month_day_test(when: When, column: exp.Expr, kind: str, clock: Clock) -> exp.Expr:
    local = column
    if kind == "timestamp" and clock.zone != "UTC":
        local = exp.ConvertTimezone(source_tz=literal("UTC"), target_tz=literal(clock.zone), timestamp=column)
    month_day = _sql("(MONTH($local) * 100 + DAY($local))", local=local)
    return _any(*(_value_test("between", list(span), month_day) for span in month_days(when, clock)))


def _map_test(condition: MapCondition) -> exp.Expr:
    entries = _query(DECILES, category=condition.category, lookback_months=condition.lookback_months)
    has_entry = _is_among(entries)
    if condition.op in ("exists", "missing"):
        return exp.not_(has_entry) if condition.op == "missing" else has_entry
    decile = exp.column("decile", table="d")
    met = _is_among(entries.where(_value_test(condition.op, condition.value, decile)))
    return _any(met, exp.not_(has_entry)) if condition.or_missing else met


def _event_test(event: EventCondition, context: Context) -> exp.Expr:
    if event.op == "all":
        met = to_test(event.where, context, True, event) if event.where is not None else exp.true()
        every = _sql("MIN(CASE WHEN $met THEN 1 ELSE 0 END) = 1", met=met)
        return _is_among(_grouped(_events(event, context, with_where=False), every))
    events = _events(event, context)
    if event.op == "at least" and event.value == 1 and event.aggregate == "count":
        return _is_among(events)
    if event.op in ("equals", "at most") and event.value == 0 and event.aggregate == "count":
        return exp.not_(_is_among(events))
    test = _value_test(event.op, event.value, _sql(AGGREGATES[event.aggregate], column=of(EVENT, event.of or "")))
    # those without any such event are not among the rows: where it holds for 0, ask for whom it does not hold
    if event.aggregate == "count" and simplify(_value_test(event.op, event.value, literal(0))) == exp.true():
        return exp.not_(_is_among(_grouped(events, exp.not_(test))))
    return _is_among(_grouped(events, test))


def _grouped(events: exp.Select, having: exp.Expr) -> exp.Select:
    return events.group_by(of(EVENT, PRIMARY_IDENTITY), copy=False).having(having, copy=False)


def _events(event: Event, context: Context, with_where: bool = True) -> exp.Select:
    """The events a condition is about: a row each, with customer_id."""
    tests = [] if event.when is None else [_when_test(event.when, of(EVENT, EVENT_TIME), "timestamp", context.clock)]
    if with_where and event.where is not None:
        tests.append(to_test(event.where, context, event=event))
    query = _query(EVENTS, source=table(context.events[event.event]), now=context.clock.now)
    return query.where(*tests, copy=False)


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
        query.where(_sql(TESTS["missing"], column=of(alias, PRIMARY_IDENTITY)), copy=False)
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
