"""From a rule to one query over profile, events and memberships, as a sqlglot tree.

Values become literals and nothing else, columns come from the catalog. A customer without a value meets no condition
on it; that is said in SQL wherever a NULL would otherwise pass a NOT.
"""

from __future__ import annotations

import datetime as dt
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
    parts_of,
)
from clv_helpers.audiences.when import Clock, When, bounds, month_days, parse_duration
from clv_helpers.config.datasets import EVENT_TIME, PRIMARY_IDENTITY
from clv_helpers.engines.dialect import is_in, literal, table

COMPARE: dict[str, type[exp.Binary]] = {
    "equals": exp.EQ,
    "not equals": exp.NEQ,
    "at most": exp.LTE,
    "at least": exp.GTE,
    "less than": exp.LT,
    "more than": exp.GT,
}
TEXT: dict[str, type[exp.Expression]] = {
    "contains": exp.Contains,
    "starts with": exp.StartsWith,
    "ends with": exp.EndsWith,
    "matches": exp.RegexpLike,
}
PROFILE = "p"
MEMBERSHIP = "audiences.membership_period"
DECILES = "derived.customer_decile"


@dataclass(frozen=True)
class Context:
    """Where a rule is read: the columns, the moment, the table of each dataset of events.

    `only`: a query of customer ids to which all is narrowed, events included.
    """

    catalog: Catalog
    clock: Clock
    events: dict[str, str]
    only: exp.Query | None = None


def to_customers(rule: AnyPart, context: Context) -> exp.Select:
    """The customers who meet a rule: one row each, with customer_id."""
    query = exp.select(customer(PROFILE)).from_(table("profile.customer").as_(PROFILE))
    if context.only is not None:
        query = query.where(_is_among(customer(PROFILE), context.only))
    return query.where(to_test(rule, context))


def to_test(part: AnyPart, context: Context, exact: bool = False) -> exp.Expression:
    """A part of a rule as a test of a row of the profile under the alias p.

    `exact`: false where it is not met. Otherwise it may be NULL, which a WHERE takes for false, and faster.
    """
    match part:
        case Rule(not_=inner) if inner is not None:
            return exp.not_(to_test(inner, context, exact=True))
        case Rule():
            tests = [to_test(inner, context, exact) for inner in parts_of(part)]
            return exp.and_(*tests) if part.all is not None else exp.paren(exp.or_(*tests))
        case Condition():
            return _attribute_test(part, context.catalog.profile[part.field], PROFILE, context.clock, exact)
        case MapCondition():
            return _map_test(part)
        case EventCondition():
            return _event_test(part, context)
        case SequenceCondition():
            return _is_among(customer(PROFILE), _sequence(part, context))
        case AudienceCondition():
            return _is_among(customer(PROFILE), _membership(part.audience))


def _attribute_test(
    condition: Condition, attribute: Attribute, alias: str, clock: Clock, exact: bool
) -> exp.Expression:
    column = exp.column(condition.field, table=alias, quoted=True)
    if condition.when:
        test = when_test(condition.when, column, attribute.kind, clock)
    else:
        test = _value_test(condition.op or "", condition.value, column, condition.ignore_case)
    return _with_nulls(test, column, condition.op, condition.or_missing, exact)


def _with_nulls(
    test: exp.Expression, column: exp.Expression, op: str | None, or_missing: bool, exact: bool
) -> exp.Expression:
    if op in ("exists", "missing"):
        return test
    if or_missing:
        return exp.paren(exp.or_(exp.Is(this=column.copy(), expression=exp.null()), test))
    return exp.paren(exp.and_(_exists(column.copy()), test)) if exact else test


def _exists(column: exp.Expression) -> exp.Expression:
    return exp.Not(this=exp.Is(this=column, expression=exp.null()))


def _value_test(op: str, value: object, column: exp.Expression, ignore_case: bool = False) -> exp.Expression:
    """An operator and its value; NULL where the column is."""
    if op == "exists":
        return _exists(column)
    if op == "missing":
        return exp.Is(this=column, expression=exp.null())
    values = list(value) if isinstance(value, list) else [value]
    if ignore_case and op in ("matches", "not matches"):
        values = [f"(?i){values[0]}"]
    elif ignore_case:
        column, values = exp.Lower(this=column), [str(each).lower() for each in values]
    if op == "between":
        return exp.Between(this=column, low=literal(values[0]), high=literal(values[1]))
    if op in ("in", "not in"):
        found = is_in(column, values)
        return exp.Not(this=found) if op == "not in" else found
    if op in COMPARE:
        return COMPARE[op](this=column, expression=literal(values[0]))
    test = TEXT[op.removeprefix("not ")](this=column, expression=literal(str(values[0])))
    return exp.Not(this=test) if op.startswith("not ") else test


def when_test(when: When, column: exp.Expression, kind: str, clock: Clock) -> exp.Expression:
    if when.ignore_year:
        return _month_day_test(when, column, kind, clock)
    found = bounds(when, clock)
    tests = []
    if found.low is not None:
        low = _first_day_from(found.low, clock) if kind == "date" else found.low
        tests.append(exp.GTE(this=column, expression=literal(low)))
    if found.high is not None:
        # a day counts as its beginning, so the days before an open end are those before the first day from it
        to_day = _last_day_until if found.closed else _first_day_from
        high = to_day(found.high, clock) if kind == "date" else found.high
        tests.append((exp.LTE if found.closed else exp.LT)(this=column.copy(), expression=literal(high)))
    return exp.and_(*tests)


def _first_day_from(moment: dt.datetime, clock: Clock) -> dt.date:
    """The first day that begins at or after a moment."""
    day = replace(clock, now=moment).today
    return day if clock.begin(day) >= moment else day + dt.timedelta(days=1)


def _last_day_until(moment: dt.datetime, clock: Clock) -> dt.date:
    """The last day that begins at or before a moment."""
    day = replace(clock, now=moment).today
    return day if clock.begin(day) <= moment else day - dt.timedelta(days=1)


def _month_day_test(when: When, column: exp.Expression, kind: str, clock: Clock) -> exp.Expression:
    local = column
    if kind == "timestamp" and clock.zone != "UTC":
        local = exp.ConvertTimezone(source_tz=literal("UTC"), target_tz=literal(clock.zone), timestamp=column)
    month_day = exp.paren(
        exp.Add(
            this=exp.Mul(this=exp.Month(this=local), expression=literal(100)),
            expression=exp.Day(this=local.copy()),
        )
    )
    spans = [exp.Between(this=month_day.copy(), low=literal(a), high=literal(b)) for a, b in month_days(when, clock)]
    return exp.paren(exp.or_(*spans))


def _map_test(condition: MapCondition) -> exp.Expression:
    asked = {"category": condition.category, "lookback_months": condition.lookback_months}
    key = [exp.EQ(this=exp.column(n, table="d", quoted=True), expression=literal(v)) for n, v in asked.items()]
    entries = exp.select(customer("d")).from_(table(DECILES).as_("d")).where(*key)
    has_entry = _is_among(customer(PROFILE), entries)
    if condition.op in ("exists", "missing"):
        return exp.not_(has_entry) if condition.op == "missing" else has_entry
    decile = exp.column("decile", table="d", quoted=True)
    met = _is_among(customer(PROFILE), entries.where(_value_test(condition.op, condition.value, decile)))
    return exp.paren(exp.or_(met, exp.not_(has_entry))) if condition.or_missing else met


def _event_test(event: EventCondition, context: Context) -> exp.Expression:
    who = customer(PROFILE)
    if event.op == "all":
        events = _event_query(event, context, with_where=False)
        met = exp.Case().when(_where_test(event, context, exact=True), literal(1)).else_(literal(0))
        every = exp.EQ(this=exp.Min(this=met), expression=literal(1))
        return _is_among(who, events.group_by(customer("e")).having(every))
    events = _event_query(event, context)
    if event.aggregate != "count":
        measure = _aggregate(event.aggregate, event_column(event.of or ""))
        return _is_among(who, events.group_by(customer("e")).having(_value_test(event.op, event.value, measure)))
    if event.op == "at least" and event.value == 1:
        return _is_among(who, events)
    if event.op in ("equals", "at most") and event.value == 0:
        return exp.not_(_is_among(who, events))
    counted = _value_test(event.op, event.value, exp.Count(this=exp.Star()))
    if _holds_for_none(event):  # those without any such event are not among the rows: ask for whom it does not hold
        return exp.not_(_is_among(who, events.group_by(customer("e")).having(exp.not_(counted))))
    return _is_among(who, events.group_by(customer("e")).having(counted))


def _aggregate(name: str, column: exp.Expression) -> exp.Expression:
    if name == "average":  # an exact sum divided once does not depend on the order of the rows
        total = exp.cast(exp.Sum(this=column), exp.DataType.build("DOUBLE"))
        return exp.Div(this=total, expression=exp.Count(this=column.copy()))
    return {"sum": exp.Sum, "min": exp.Min, "max": exp.Max}[name](this=column)


def _holds_for_none(event: EventCondition) -> bool:
    value = event.value
    match event.op:
        case "between":
            return value[0] <= 0 <= value[1]
        case "equals" | "at least":
            return value == 0
        case "not equals" | "less than":
            return value != 0
        case "at most":
            return True
    return False


def _event_query(event: EventCondition | Step, context: Context, with_where: bool = True) -> exp.Select:
    """The events a condition is about: a row each, with customer_id."""
    moment = event_column(EVENT_TIME)
    query = exp.select(customer("e")).from_(event_table(event, context))
    query = query.where(exp.LT(this=moment, expression=literal(context.clock.now)))
    if event.when:
        query = query.where(when_test(event.when, moment.copy(), "timestamp", context.clock))
    if with_where and event.where is not None:
        query = query.where(_where_test(event, context))
    if context.only is not None:
        query = query.where(_is_among(customer("e"), context.only))
    return query


def _where_test(event: EventCondition | Step, context: Context, exact: bool = False) -> exp.Expression:
    return _where(event.where, context, context.catalog.events[event.event], exact)


def _where(part: AnyPart, context: Context, columns: dict[str, Attribute], exact: bool) -> exp.Expression:
    if isinstance(part, Condition):
        return _attribute_test(part, columns[part.field], "e", context.clock, exact)
    if part.not_ is not None:
        return exp.not_(_where(part.not_, context, columns, exact=True))
    tests = [_where(inner, context, columns, exact) for inner in parts_of(part)]
    return exp.and_(*tests) if part.all is not None else exp.paren(exp.or_(*tests))


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
            ended = later(_at("c"), step.within)
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
        between = exp.and_(_same_customer("c", alias), _in_gap("c", alias, step))
        if until:
            between = exp.and_(between, exp.LT(this=_at(alias), expression=_at(until)))
        query = query.join(_moments(step, context, since).subquery(alias), on=between, join_type="left")
        query = query.where(exp.Is(this=customer(alias), expression=exp.null()))
    return query


def _moments(step: Step, context: Context, since: dt.datetime = dt.datetime.min) -> exp.Select:
    query = _event_query(step, context).select(event_column(EVENT_TIME))
    if since > dt.datetime.min:
        query = query.where(exp.GTE(this=event_column(EVENT_TIME), expression=literal(since)))
    return query


def _in_gap(first: str, second: str, step: Step) -> exp.Expression:
    tests: list[exp.Expression] = [exp.GT(this=_at(second), expression=_at(first))]
    if step.after:
        tests.append(exp.GTE(this=_at(second), expression=later(_at(first), step.after)))
    if step.within:
        tests.append(exp.LTE(this=_at(second), expression=later(_at(first), step.within)))
    return exp.and_(*tests)


def later(moment: exp.Expression, gap: str) -> exp.Expression:
    number, unit = parse_duration(gap)
    if unit == "week":
        number, unit = number * 7, "day"
    interval = exp.Interval(this=exp.Literal.string(str(number)), unit=exp.var(unit.upper()))
    return exp.Add(this=moment, expression=interval)


def _membership(audience: str) -> exp.Select:
    is_it = exp.EQ(this=exp.column("audience", table="m", quoted=True), expression=literal(audience))
    is_open = exp.Is(this=exp.column("left_at", table="m", quoted=True), expression=exp.null())
    return exp.select(customer("m")).from_(table(MEMBERSHIP).as_("m")).where(is_it, is_open)


def event_table(event: EventCondition | Step, context: Context) -> exp.Expression:
    return table(context.events[event.event]).as_("e")


def _is_among(column: exp.Expression, query: exp.Query) -> exp.Expression:
    return exp.In(this=column, query=query.copy().subquery())


def _same_customer(left: str, right: str) -> exp.Expression:
    return exp.EQ(this=customer(left), expression=customer(right))


def customer(alias: str) -> exp.Column:
    return exp.column(PRIMARY_IDENTITY, table=alias, quoted=True)


def _at(alias: str) -> exp.Column:
    return exp.column(EVENT_TIME, table=alias, quoted=True)


def event_column(name: str) -> exp.Column:
    return exp.column(name, table="e", quoted=True)
