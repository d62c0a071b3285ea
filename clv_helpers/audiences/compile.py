"""From a rule to one query over profile, events and memberships, as a sqlglot tree.

Values become literals and nothing else, columns come from the catalog. A customer without a value meets no condition
on it; SQL spells that out wherever a NULL would otherwise pass a NOT.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from clv_helpers.audiences.catalog import Attribute, Catalog
from clv_helpers.audiences.rule import (
    AnyPart,
    AudienceCondition,
    Condition,
    EventCondition,
    MapCondition,
    Rule,
    SequenceCondition,
    Step,
    Value,
    as_list,
    parts_of,
)
from clv_helpers.audiences.when import Clock, When, bounds, month_days, parse_duration
from clv_helpers.config.datasets import EVENT_TIME, PRIMARY_IDENTITY
from clv_helpers.engines.dialect import bind, literal, parse, table

COMPARE: dict[str, type[exp.Expression]] = {
    "equals": exp.EQ,
    "not equals": exp.NEQ,
    "at most": exp.LTE,
    "at least": exp.GTE,
    "less than": exp.LT,
    "more than": exp.GT,
}
OF_ZERO: dict[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "not equals": operator.ne,
    "at most": operator.le,
    "at least": operator.ge,
    "less than": operator.lt,
    "more than": operator.gt,
}
TEXT: dict[str, type[exp.Expression]] = {
    "contains": exp.Contains,
    "starts with": exp.StartsWith,
    "ends with": exp.EndsWith,
    "matches": exp.RegexpLike,
}
PROFILE, EVENT = "p", "e"
MEMBERS = parse(
    "SELECT m.customer_id FROM audiences.membership_period AS m WHERE m.audience = $audience AND m.left_at IS NULL"
)
DECILES = parse(
    "SELECT d.customer_id FROM derived.customer_decile AS d "
    "WHERE d.category = $category AND d.lookback_months = $lookback_months"
)


@dataclass(frozen=True)
class Context:
    """Where a rule is read: the columns, the moment, the table of each dataset of events.

    `only`: a query of customer ids to which all is narrowed, events included.
    """

    catalog: Catalog
    clock: Clock
    events: dict[str, str]
    only: exp.Select | None = None


def to_customers(rule: AnyPart, context: Context) -> exp.Select:
    """The customers who meet a rule: one row each, with customer_id."""
    query = exp.select(customer(PROFILE)).from_(table("profile.customer").as_(PROFILE))
    if context.only is not None:
        query = query.where(_is_among(customer(PROFILE), context.only))
    return query.where(to_test(rule, context))


def to_test(
    part: AnyPart, context: Context, exact: bool = False, event: EventCondition | Step | None = None
) -> exp.Expr:
    """A part of a rule as a test of a row of the profile (alias p), or of a row of an event (alias e) for its `where`.

    `exact`: false where it is not met. Otherwise it may be NULL, which a WHERE takes for false, and faster.
    """
    match part:
        case Rule(not_=inner) if inner is not None:
            return exp.not_(to_test(inner, context, True, event))
        case Rule():
            tests = [to_test(inner, context, exact, event) for inner in parts_of(part)]
            return exp.and_(*tests) if part.kind == "all" else exp.paren(exp.or_(*tests))
        case Condition():
            columns = context.catalog.events[event.event] if event else context.catalog.profile
            return _attribute_test(part, columns[part.field], EVENT if event else PROFILE, context.clock, exact)
        case MapCondition():
            return _map_test(part)
        case EventCondition():
            return _event_test(part, context)
        case SequenceCondition():
            return _is_among(customer(PROFILE), _sequence(part, context))
        case AudienceCondition():
            members = bind(MEMBERS, {"audience": part.audience}).assert_is(exp.Select)
            return _is_among(customer(PROFILE), members)


def _attribute_test(condition: Condition, attribute: Attribute, alias: str, clock: Clock, exact: bool) -> exp.Expr:
    column = exp.column(condition.field, table=alias, quoted=True)
    if condition.when:
        test = _when_test(condition.when, column, attribute.kind, clock)
    else:
        test = _value_test(condition.op or "", condition.value, column, condition.ignore_case)
    return _with_nulls(test, column, condition.op, condition.or_missing, exact)


def _with_nulls(test: exp.Expr, column: exp.Expr, op: str | None, or_missing: bool, exact: bool) -> exp.Expr:
    if op in ("exists", "missing"):
        return test
    if or_missing:
        return exp.paren(exp.or_(_is_null(column.copy()), test))
    return exp.paren(exp.and_(exp.Not(this=_is_null(column.copy())), test)) if exact else test


def _is_null(column: exp.Expr) -> exp.Expr:
    return exp.Is(this=column, expression=exp.null())


def _value_test(op: str, value: Value | list[Value] | None, column: exp.Expr, ignore_case: bool = False) -> exp.Expr:
    """An operator and its value; NULL where the column is."""
    if op in ("exists", "missing"):
        return exp.Not(this=_is_null(column)) if op == "exists" else _is_null(column)
    values = as_list(value)
    if ignore_case and op.endswith("matches"):
        values = [f"(?i){values[0]}"]
    elif ignore_case:
        column, values = exp.Lower(this=column), [str(text).lower() for text in values]
    if op == "between":
        return exp.Between(this=column, low=literal(values[0]), high=literal(values[1]))
    if op in COMPARE:
        return COMPARE[op](this=column, expression=literal(values[0]))
    positive = op.removeprefix("not ")
    if positive == "in":
        test: exp.Expr = exp.In(this=column, expressions=[literal(one) for one in values])
    else:
        test = TEXT[positive](this=column, expression=literal(str(values[0])))
    return exp.Not(this=test) if op.startswith("not ") else test


def _when_test(when: When, column: exp.Expr, kind: str, clock: Clock) -> exp.Expr:
    """A time constraint as a test of a column of type date or timestamp; NULL where the column is."""
    if when.ignore_year:
        return _month_day_test(when, column, kind, clock)
    span = bounds(when, clock)
    tests: list[exp.Expr] = []
    if span.low is not None:
        low = _first_day_from(span.low, clock) if kind == "date" else span.low
        tests.append(exp.GTE(this=column, expression=literal(low)))
    if span.high is not None:
        # a day counts as its beginning, so the days before an open end are those before the first day from it
        to_day = _last_day_until if span.closed else _first_day_from
        high = to_day(span.high, clock) if kind == "date" else span.high
        tests.append((exp.LTE if span.closed else exp.LT)(this=column.copy(), expression=literal(high)))
    return exp.and_(*tests)


def _first_day_from(moment: dt.datetime, clock: Clock) -> dt.date:
    """The first day that begins at or after a moment."""
    day = replace(clock, now=moment).today
    return day if clock.begin(day) >= moment else day + dt.timedelta(days=1)


def _last_day_until(moment: dt.datetime, clock: Clock) -> dt.date:
    """The last day that begins at or before a moment."""
    day = replace(clock, now=moment).today
    return day if clock.begin(day) <= moment else day - dt.timedelta(days=1)


def _month_day_test(when: When, column: exp.Expr, kind: str, clock: Clock) -> exp.Expr:
    local = column
    if kind == "timestamp" and clock.zone != "UTC":
        local = exp.ConvertTimezone(source_tz=literal("UTC"), target_tz=literal(clock.zone), timestamp=column)
    hundreds = exp.Mul(this=exp.Month(this=local), expression=literal(100))
    month_day = exp.paren(exp.Add(this=hundreds, expression=exp.Day(this=local.copy())))
    spans = [exp.Between(this=month_day.copy(), low=literal(a), high=literal(b)) for a, b in month_days(when, clock)]
    return exp.paren(exp.or_(*spans))


def _map_test(condition: MapCondition) -> exp.Expr:
    key = {"category": condition.category, "lookback_months": condition.lookback_months}
    entries = bind(DECILES, key).assert_is(exp.Select)
    has_entry = _is_among(customer(PROFILE), entries)
    if condition.op in ("exists", "missing"):
        return exp.not_(has_entry) if condition.op == "missing" else has_entry
    decile = exp.column("decile", table="d")
    met = _is_among(customer(PROFILE), entries.where(_value_test(condition.op, condition.value, decile)))
    return exp.paren(exp.or_(met, exp.not_(has_entry))) if condition.or_missing else met


def _event_test(event: EventCondition, context: Context) -> exp.Expr:
    who = customer(PROFILE)
    if event.op == "all":
        events = _event_query(event, context, with_where=False)
        met = exp.Case().when(_where_test(event, context, exact=True), literal(1)).else_(literal(0))
        every = exp.EQ(this=exp.Min(this=met), expression=literal(1))
        return _is_among(who, events.group_by(customer(EVENT)).having(every))
    events = _event_query(event, context)
    if event.aggregate != "count":
        measure = _aggregate(event.aggregate, _event_column(event.of or ""))
        return _is_among(who, events.group_by(customer(EVENT)).having(_value_test(event.op, event.value, measure)))
    if event.op == "at least" and event.value == 1:
        return _is_among(who, events)
    if event.op in ("equals", "at most") and event.value == 0:
        return exp.not_(_is_among(who, events))
    counted = _value_test(event.op, event.value, exp.Count(this=exp.Star()))
    if _holds_for_none(event):  # those without any such event are not among the rows: ask for whom it does not hold
        return exp.not_(_is_among(who, events.group_by(customer(EVENT)).having(exp.not_(counted))))
    return _is_among(who, events.group_by(customer(EVENT)).having(counted))


def _aggregate(name: str, column: exp.Expr) -> exp.Expr:
    if name == "average":  # an exact sum divided once does not depend on the order of the rows
        total = exp.cast(exp.Sum(this=column), exp.DataType.build("DOUBLE"))
        return exp.Div(this=total, expression=exp.Count(this=column.copy()))
    functions: dict[str, type[exp.Expression]] = {"sum": exp.Sum, "min": exp.Min, "max": exp.Max}
    return functions[name](this=column)


def _holds_for_none(event: EventCondition) -> bool:
    """Whether a condition on the number of events is met by a customer without any."""
    if event.op == "between":
        return event.numbers[0] <= 0 <= event.numbers[1]
    return OF_ZERO[event.op](0, event.numbers[0])


def _event_query(event: EventCondition | Step, context: Context, with_where: bool = True) -> exp.Select:
    """The events a condition is about: a row each, with customer_id."""
    moment = _event_column(EVENT_TIME)
    query = exp.select(customer(EVENT)).from_(table(context.events[event.event]).as_(EVENT))
    query = query.where(exp.LT(this=moment, expression=literal(context.clock.now)))
    if event.when:
        query = query.where(_when_test(event.when, moment.copy(), "timestamp", context.clock))
    if with_where and event.where is not None:
        query = query.where(_where_test(event, context))
    if context.only is not None:
        query = query.where(_is_among(customer(EVENT), context.only))
    return query


def _where_test(event: EventCondition | Step, context: Context, exact: bool = False) -> exp.Expr:
    return to_test(event.where, context, exact, event) if event.where is not None else exp.true()


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
        follows = exp.and_(_same_customer("c", "n"), _in_gap("c", "n", step))
        query = exp.select(customer("n"), _at("n")).distinct().from_(so_far.subquery("c"))
        query = query.join(_moments(step, context, since).subquery("n"), on=follows)
        so_far = _without(query, absent, context, since, until="n")
        absent, since = [], max(since, _earliest(step, context))
    customers = exp.select(customer("c")).from_(so_far.subquery("c"))
    for step in absent:
        if step.within:
            ended = _later(_at("c"), step.within)
            customers = customers.where(exp.LTE(this=ended, expression=literal(context.clock.now)))
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
        between = [_same_customer("c", alias), _in_gap("c", alias, step)]
        if until:
            between.append(exp.LT(this=_at(alias), expression=_at(until)))
        query = query.join(_moments(step, context, since).subquery(alias), on=exp.and_(*between), join_type="left")
        query = query.where(_is_null(customer(alias)))
    return query


def _moments(step: Step, context: Context, since: dt.datetime = dt.datetime.min) -> exp.Select:
    query = _event_query(step, context).select(_event_column(EVENT_TIME))
    if since > dt.datetime.min:
        query = query.where(exp.GTE(this=_event_column(EVENT_TIME), expression=literal(since)))
    return query


def _in_gap(first: str, second: str, step: Step) -> exp.Expr:
    tests: list[exp.Expr] = [exp.GT(this=_at(second), expression=_at(first))]
    if step.after:
        tests.append(exp.GTE(this=_at(second), expression=_later(_at(first), step.after)))
    if step.within:
        tests.append(exp.LTE(this=_at(second), expression=_later(_at(first), step.within)))
    return exp.and_(*tests)


def _later(moment: exp.Expr, gap: str) -> exp.Expr:
    number, unit = parse_duration(gap)
    if unit == "week":
        number, unit = number * 7, "day"
    interval = exp.Interval(this=exp.Literal.string(str(number)), unit=exp.var(unit.upper()))
    return exp.Add(this=moment, expression=interval)


def _is_among(column: exp.Expr, query: exp.Query) -> exp.Expr:
    return exp.In(this=column, query=query.copy().subquery())


def _same_customer(left: str, right: str) -> exp.Expr:
    return exp.EQ(this=customer(left), expression=customer(right))


def customer(alias: str) -> exp.Column:
    return exp.column(PRIMARY_IDENTITY, table=alias, quoted=True)


def _at(alias: str) -> exp.Column:
    return exp.column(EVENT_TIME, table=alias, quoted=True)


def _event_column(name: str) -> exp.Column:
    return exp.column(name, table=EVENT, quoted=True)
