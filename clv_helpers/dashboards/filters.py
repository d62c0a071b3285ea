"""The choices that a board's filters offer, and what they narrow to."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlglot import exp

from clv_helpers.charts.declared import check_choices
from clv_helpers.charts.rows import Days
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import BoardFilter, Dashboard
from clv_helpers.engines.dialect import column, table
from clv_helpers.engines.session import Session

ALL = "(all)"
SPAN = " to "  # between the first and the last of days that no choice names
Choices = dict[str, Any]  # by label, in order: the value or the days that a choice narrows to; None: to nothing


class Offer(NamedTuple):
    """A filter with its choices, and the label of the one that a board begins with."""

    column: str
    spec: BoardFilter
    choices: Choices
    first: str

    @property
    def takes_several(self) -> bool:
        """Whether several values may be chosen: where all may, so that no row counts what another does."""
        return not self.spec.dates and None in self.choices.values()

    def knows(self, wanted: Any) -> bool:
        """Whether it is a choice, or several of those offered."""
        if isinstance(wanted, list):
            return self.takes_several and all(value in self.choices.values() for value in wanted)
        return isinstance(wanted, Days) or wanted in self.choices.values()

    def labels(self, value: Any) -> list[str]:
        """What is chosen, each in its words."""
        if isinstance(value, list):
            return [label for one in value for label in self.labels(one)]
        labels = (label for label, offered in self.choices.items() if offered == value)
        return [next(labels, SPAN.join(map(str, value)) if isinstance(value, Days) else str(value))]

    def chosen_by(self, labels: list[str]) -> Any:
        """What these words choose, as far as they are offered. Raises KeyError where none is."""
        known = [self.choices[label] for label in labels if label in self.choices]
        if self.takes_several and (several := [value for value in known if value is not None]):
            return several
        days = labels[0].split(SPAN)
        if not known and self.spec.dates and len(days) == 2:
            with contextlib.suppress(ValueError):
                return Days(*map(dt.date.fromisoformat, days))
        if not known:
            raise KeyError(self.column)
        return known[0]


def offers(session: Session, workbook: Workbook, dashboard: Dashboard) -> list[Offer]:
    """The filters of a board, each with what it offers. Raises ChartError where that would be persons."""
    for spec in dashboard.filters:
        check_choices(workbook, f"filter {spec.label!r}", spec.table, spec.column)
    every = [(spec, choices(session, spec)) for spec in dashboard.filters]
    return [Offer(spec.column, spec, offered, first_of(spec, offered)) for spec, offered in every]


def choices(session: Session, spec: BoardFilter) -> Choices:
    """What a filter offers, in its order. Without a default, all is offered too, and first."""
    if spec.dates:
        return presets(as_of(session))
    if not session.has_table(spec.table):
        return {ALL: None}
    order = exp.Min(this=column(spec.order_by or spec.column))
    query = exp.select(column(spec.column)).from_(table(spec.table)).group_by(column(spec.column)).order_by(order)
    values = [row[spec.column] for row in session.rows(query)]
    offered = {str(value): value for value in values if value is not None}
    return offered if spec.default in values else {ALL: None, **offered}


def first_of(spec: BoardFilter, offered: Choices) -> str:
    """The label of the choice that a board begins with."""
    wanted = [label for label, value in offered.items() if spec.default in (value, label)]
    return wanted[0] if wanted and spec.default is not None else next(iter(offered))


def as_of(session: Session) -> dt.date:
    """The day as of which the published tables were computed."""
    return session.scalar("SELECT as_of FROM derived.as_of")


def presets(day: dt.date) -> Choices:
    """The ranges of days that a filter by dates offers, in whole months before `day` (exclusive)."""
    import pandas as pd

    this_month = pd.Timestamp(day.replace(day=1))
    yesterday, before = day - dt.timedelta(days=1), (this_month - pd.DateOffset(days=1)).date()
    months = {"last month": 1, "last 3 months": 3, "last 6 months": 6, "last 12 months": 12}
    return {
        "all": None,
        **{label: Days((this_month - pd.DateOffset(months=count)).date(), before) for label, count in months.items()},
        "this year": Days(day.replace(month=1, day=1), yesterday),
        "last year": Days(dt.date(day.year - 1, 1, 1), dt.date(day.year - 1, 12, 31)),
    }


def said(offers: list[Offer], chosen: dict[str, Any], followed: Collection[str], is_empty: bool = False) -> str:
    """What a widget's second line says of the choices other than a board begins with; empty where there are none.

    `followed`: the columns of the filters that narrow it; of the others it says that they do not. `is_empty`: the
    widget has nothing to show, and says all that it was narrowed to.
    """
    changed = {o.column: o for o in offers if chosen.get(o.column) != o.choices[o.first]}
    told = [o for o in offers if o.column in followed and (o.column in changed or is_empty)]
    narrowed = [f"{o.spec.label}: {', '.join(o.labels(chosen[o.column]))}" for o in told]
    others = [o.spec.label for name, o in changed.items() if name not in followed]
    return "; ".join([*narrowed, *([f"not narrowed by {' and '.join(others)}"] if others else [])])
