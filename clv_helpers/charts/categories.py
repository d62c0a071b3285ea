"""What stands on a discrete axis: the categories of all rows, also of those that lost theirs to suppression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.charts.texts import groups

if TYPE_CHECKING:
    import pandas as pd

# By column: each category with what it is sorted by; None where that would disclose what is left out.
Categories = dict[str, dict[Any, Any]]
WITHOUT_AXES = ("donut", "number", "table", "funnel", "venn")


def categories(widget: Widget, read: pd.DataFrame, rows: pd.DataFrame) -> Categories:
    """The categories on x and y of all rows that were read, `rows` being those that may be shown."""
    if widget.mark in WITHOUT_AXES:
        return {}
    discrete = groups(widget, read)
    on_axes = [f for f in (widget.x, widget.y) if f and not f.aggregate and f.column in discrete]
    return {field.column: _sorted_by(field, widget, read, rows) for field in on_axes}


def merged(several: list[Categories]) -> Categories:
    """Those of several pictures of one widget."""
    together: Categories = {}
    for one in several:
        for column, orders in one.items():
            before = together.get(column, {})
            known = {name: order for name, order in before.items() if order is not None}
            together[column] = {**before, **orders, **known}
    return together


def in_order(field: Channel, orders: dict[Any, Any]) -> list[Any]:
    """An axis's categories as it shows them; those whose place would disclose something stand last."""
    descending = isinstance(field.sort, str) and field.sort.startswith("-")
    known = [name for name, order in orders.items() if order is not None]
    unknown = sorted(name for name in orders if orders[name] is None)
    return sorted(known, key=orders.__getitem__, reverse=descending) + unknown


def _sorted_by(field: Channel, widget: Widget, read: pd.DataFrame, rows: pd.DataFrame) -> dict[Any, Any]:
    names = read[field.column].dropna().drop_duplicates().tolist()
    if isinstance(field.sort, list):
        return {name: field.sort.index(name) if name in field.sort else len(field.sort) for name in names}
    by = field.sort.lstrip("-") if field.sort else field.column
    if by == field.column or by not in read:
        return {name: name for name in names}
    measure = by in {f.column for f in [*widget.fields, *widget.tooltip]}
    greatest = (rows if measure else read).dropna(subset=[by]).groupby(field.column)[by].max()
    return {name: greatest.get(name) for name in names}
