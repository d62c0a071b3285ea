"""The choices that a board's filters offer, and what they narrow to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from clv_helpers.charts import Scalar
from clv_helpers.charts.rows import Days
from clv_helpers.dashboards.spec import BoardFilter
from clv_helpers.engines.dialect import column, table
from clv_helpers.engines.session import Session

ALL = "(all)"


@dataclass(frozen=True)
class Choice:
    """One entry of a filter: its label, and the value or the days that it narrows to (None: nothing)."""

    label: str
    value: Scalar | Days | None


def choices(session: Session, spec: BoardFilter) -> list[Choice]:
    """What a filter offers, in its order. Without a default, all is offered too, and first."""
    if spec.dates:
        return presets(as_of(session))
    if not session.has_table(spec.table):
        return [Choice(ALL, None)]
    order = exp.Min(this=column(spec.order_by or spec.column))
    query = exp.select(column(spec.column)).from_(table(spec.table)).group_by(column(spec.column)).order_by(order)
    values = [row[spec.column] for row in session.rows(query)]
    offered = [Choice(str(value), value) for value in values if value is not None]
    return offered if spec.default in values else [Choice(ALL, None), *offered]


def default_of(spec: BoardFilter, offered: list[Choice]) -> Choice:
    """The choice that a board begins with."""
    wanted = spec.default if spec.default is not None else ("all" if spec.dates else None)
    return next((c for c in offered if wanted in (c.value, c.label) and wanted is not None), offered[0])


def as_of(session: Session) -> dt.date:
    """The day as of which the published tables were computed."""
    return session.scalar(exp.select(column("as_of")).from_(table("derived.as_of")))


def presets(day: dt.date) -> list[Choice]:
    """The ranges of days that a filter by dates offers, in whole months before `day` (exclusive)."""
    this_month = day.replace(day=1)
    until = this_month - dt.timedelta(days=1)
    ranges: dict[str, Days | None] = {"all": None}
    for months in (1, 3, 6, 12):
        label = "last month" if months == 1 else f"last {months} months"
        ranges[label] = Days(months_before(this_month, months), until)
    ranges["this year"] = Days(day.replace(month=1, day=1), day - dt.timedelta(days=1))
    ranges["last year"] = Days(dt.date(day.year - 1, 1, 1), dt.date(day.year - 1, 12, 31))
    return [Choice(label, days) for label, days in ranges.items()]


def months_before(day: dt.date, months: int) -> dt.date:
    """The first of the month so many months before."""
    count = day.year * 12 + day.month - 1 - months
    return dt.date(count // 12, count % 12 + 1, 1)


def narrowed(chosen: dict[str, Choice]) -> dict[str, Any]:
    """The filters that are not on all, as `charts` takes them."""
    return {name: choice.value for name, choice in chosen.items() if choice.value is not None}
