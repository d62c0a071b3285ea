"""A condition on a row as a test in SQL.

Values become literals and nothing else, columns come from those there are. A row without a value meets no condition
on it; SQL spells that out wherever a NULL would otherwise pass a NOT.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from clv_helpers.conditions.columns import Attribute
from clv_helpers.conditions.condition import Condition, Container, Value, Where, as_list, parts_of
from clv_helpers.conditions.when import Clock, When, bounds, month_days
from clv_helpers.engines.dialect import expression, is_in, literal

# Each operator as a test, which is NULL where the column is; `in` and what begins with `not` are made from these.
TESTS = {
    "equals": "$column = $value", "not equals": "$column <> $value", "at most": "$column <= $value",
    "at least": "$column >= $value", "less than": "$column < $value", "more than": "$column > $value",
    "between": "$column BETWEEN $value AND $other", "exists": "NOT $column IS NULL", "missing": "$column IS NULL",
    "contains": "CONTAINS($column, $value)", "starts with": "STARTS_WITH($column, $value)",
    "ends with": "ENDS_WITH($column, $value)", "matches": "REGEXP_MATCHES($column, $value)",
}  # fmt: skip


def row_test(
    part: Condition | Where, columns: Mapping[str, Attribute], alias: str, clock: Clock, exact: bool = False
) -> exp.Expr:
    """A `where` as a test of a row of what bears an alias in the query.

    `exact`: false where it is not met. Otherwise it may be NULL, which a WHERE takes for false, and faster.

    Example:
        >>> import datetime as dt
        >>> from clv_helpers.conditions import Attribute, Clock, Condition, row_test
        >>> columns = {"page": Attribute("page", "text", "")}
        >>> is_cart = Condition(field="page", op="equals", value="cart")
        >>> row_test(is_cart, columns, "e", Clock(dt.datetime(2026, 1, 31))).sql(dialect="duckdb")
        '"e"."page" = \'cart\''
    """
    if isinstance(part, Container):
        return container_test(part, lambda inner, exactly: row_test(inner, columns, alias, clock, exactly), exact)
    return condition_test(part, columns[part.field], alias, clock, exact)


def container_test(part: Container, test: Callable[[Any, bool], exp.Expr], exact: bool) -> exp.Expr:
    """The tests of a container's parts, joined; `test` makes one of a part, exact or not."""
    if part.not_ is not None:
        return exp.not_(test(part.not_, True), copy=False)
    tests = [test(inner, exact) for inner in parts_of(part)]
    return exp.and_(*tests, copy=False) if part.kind == "all" else any_of(*tests)


def any_of(*tests: exp.Expr) -> exp.Expr:
    return exp.paren(exp.or_(*tests, copy=False), copy=False)


def of(alias: str, name: str) -> exp.Column:
    """A column of what bears an alias in the query."""
    return exp.column(name, table=alias, quoted=True)


def condition_test(condition: Condition, attribute: Attribute, alias: str, clock: Clock, exact: bool) -> exp.Expr:
    test: exp.Expr
    column, asked = of(alias, condition.field), [condition.field]
    if condition.than is not None:
        asked.append(condition.than)
        test = expression(TESTS[condition.op or ""], column=column, value=_moved(of(alias, condition.than), condition))
    elif condition.when:
        test = when_test(condition.when, column, attribute.kind, clock)
    else:
        test = value_test(condition.op or "", condition.value, column, condition.ignore_case)
    if condition.op in ("exists", "missing"):
        return test
    if condition.or_missing:
        return any_of(*(expression(TESTS["missing"], column=of(alias, name)) for name in asked), test)
    if not exact:
        return test
    known = [expression(TESTS["exists"], column=of(alias, name)) for name in asked]
    return exp.paren(exp.and_(*known, test, copy=False), copy=False)


def _moved(column: exp.Expr, condition: Condition) -> exp.Expr:
    """What a column is compared with: another, and a number or days more or less."""
    if not condition.plus:
        return column
    if isinstance(condition.plus, str):
        more: exp.Expr = exp.Interval(this=literal(str(abs(condition.days))), unit=exp.var("DAY"))
        return exp.Sub(this=column, expression=more) if condition.days < 0 else exp.Add(this=column, expression=more)
    more = literal(abs(condition.plus))
    return exp.Sub(this=column, expression=more) if condition.plus < 0 else exp.Add(this=column, expression=more)


def value_test(op: str, value: Value | list[Value] | None, column: exp.Expr, ignore_case: bool = False) -> exp.Expr:
    """An operator and its value; NULL where the column is."""
    values = as_list(value)
    if ignore_case and op.endswith("matches"):
        values = [f"(?i){values[0]}"]
    elif ignore_case and values:
        column, values = exp.Lower(this=column), [str(text).lower() for text in values]
    if op in TESTS:
        first, other = [*values, None, None][:2]
        return expression(TESTS[op], column=column, value=first, other=other)
    positive = op.removeprefix("not ")
    test = is_in(column, values) if positive == "in" else expression(TESTS[positive], column=column, value=values[0])
    return exp.Not(this=test) if op.startswith("not ") else test


def when_test(when: When, column: exp.Expr, kind: str, clock: Clock) -> exp.Expr:
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
    tests = [] if low is None else [expression(TESTS["at least"], column=column, value=low)]
    tests += [] if high is None else [expression(until, column=column, value=high)]
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
    month_day = expression("(MONTH($local) * 100 + DAY($local))", local=local)
    return any_of(*(value_test("between", list(span), month_day) for span in month_days(when, clock)))
