"""Neighbouring bands are merged before a small group is hidden: "2–3" and "4–6" become "2–6"."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.disclosure import COUNTS, counted, too_small
from clv_helpers.charts.rows import population
from clv_helpers.charts.spec import ENDS, Widget
from clv_helpers.charts.texts import kind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# Columns of the model's tables that add up over rows; others do where a widget sums them.
ADDITIVE = (*COUNTS, "value", "spend", "purchases", "share_of_customers")
# A band's name: from, to, whether it is open, and what is counted.
RANGE = re.compile(r"(\d[\d,.]*)(?:\s*[-–]\s*(\d[\d,.]*))?(\+?)(\D*)")


def merged(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.DataFrame | None:
    """The rows with as many neighbouring bands of x and y merged as it takes for no cell to be small.

    None where no axis has bands in an order, or where a number that is shown does not add up.
    """
    bands, fields = _bands(rows, widget), [*widget.fields, *widget.tooltip]
    sums = [str(name) for name in rows if name not in bands.values() and _adds_up(rows, widget, str(name))]
    shown = [f for f in fields if f.column not in sums]
    keys = list(dict.fromkeys([*(f.column for f in shown), *bands.values()]))
    if not bands or any(kind(rows, field) == "quantitative" for field in shown) or not _named(widget) <= {*sums, *keys}:
        return None
    if not too_small(rows, widget, min_cell).any():
        return rows
    starts = _starts(rows, widget, bands, min_cell)
    for axis, order in bands.items():
        rows = _renamed(rows, axis, order, starts[axis])
    return rows.groupby(keys, dropna=False, sort=False)[sums].sum().reset_index()


def _bands(rows: pd.DataFrame, widget: Widget) -> dict[str, str]:
    """The axes of named bands, each with the column of their order."""
    axes = [f for f in (widget.x, widget.y) if f and not f.aggregate and kind(rows, f) == "nominal"]
    measures = {*(f.column for f in widget.fields), *counted(rows, widget)}
    named = {f.column: f.sort.lstrip("-") for f in axes if isinstance(f.sort, str)}
    return {
        axis: order
        for axis, order in named.items()
        if order in rows and order not in measures and rows.groupby(axis)[order].nunique().max() == 1
    }


def _adds_up(rows: pd.DataFrame, widget: Widget, name: str) -> bool:
    how = {f.aggregate for f in widget.fields if f.column == name and f.aggregate}
    return how == {"sum"} or (not how and name in (*ADDITIVE, population(widget, list(rows.columns))))


def _named(widget: Widget) -> set[str]:
    """The columns whose values stand in the title and the subtitle."""
    return {name for text in widget.texts for _, name, _, _ in Formatter().parse(text) if name} - {*ENDS}


def _starts(rows: pd.DataFrame, widget: Widget, bands: dict[str, str], min_cell: int) -> dict[str, list[int]]:
    """By axis, the numbers of the bands at which a merged band begins: each step leaves the fewest small cells."""
    import numpy as np

    counts = counted(rows, widget)
    orders = [np.unique(rows[order]) for order in bands.values()]
    others = [f.column for f in widget.fields if f.column not in (*bands, *counts) and not f.aggregate]
    other = rows.groupby(others, dropna=False, sort=False).ngroup() if others else rows[next(iter(bands))].isna() * 0
    people = np.zeros([counts.shape[1], *(len(order) for order in orders), int(other.max()) + 1])
    places = [np.searchsorted(order, rows[name]) for order, name in zip(orders, bands.values(), strict=True)]
    at = (*places, other.to_numpy(dtype=int))
    for number, name in enumerate(counts):
        np.add.at(people[number], at, counts[name].to_numpy(dtype=float))
    starts = [list(range(len(order))) for order in orders]
    while _few(people, starts, min_cell) and any(len(of) > 1 for of in starts):
        tries = [
            [[n for n in of if n != start] if i == axis else of for i, of in enumerate(starts)]
            for axis, each in enumerate(starts)
            for start in each[1:]
        ]
        starts = min(tries, key=lambda each: (_few(people, each, min_cell), -_filled(people, each)))
    return dict(zip(bands, starts, strict=True))


def _summed(people: np.ndarray, starts: list[list[int]]) -> np.ndarray:
    import numpy as np

    for axis, each in enumerate(starts):
        people = np.add.reduceat(people, each, axis=axis + 1)
    return people


def _few(people: np.ndarray, starts: list[list[int]], min_cell: int) -> int:
    """How many cells are small."""
    summed = _summed(people, starts)
    return int(((summed > 0) & (summed < min_cell)).any(axis=0).sum())


def _filled(people: np.ndarray, starts: list[list[int]]) -> int:
    return int((_summed(people, starts)[0] > 0).sum())


def _renamed(rows: pd.DataFrame, axis: str, order: str, starts: list[int]) -> pd.DataFrame:
    """The rows with the names and the order of their merged bands."""
    import numpy as np

    names = dict(zip(rows[order], rows[axis], strict=True))
    orders = sorted(names)
    ends = [*starts[1:], len(orders)]
    labels = [between(str(names[orders[a]]), str(names[orders[b - 1]])) for a, b in zip(starts, ends, strict=True)]
    place = np.searchsorted(np.array(starts), np.searchsorted(orders, rows[order]), side="right") - 1
    renamed: dict[str, Any] = {axis: [labels[p] for p in place], order: place}
    return rows.assign(**renamed)  # by place: the value of the first band could be that of a small group


def between(first: str, last: str) -> str:
    """What neighbouring bands are called together.

    Example:
        >>> [between("1", "4–6"), between("31–90 days", "181–365 days"), between("4–6", "13+"), between("new", "old")]
        ['1–6', '31–365 days', '4+', 'new to old']
    """
    if first == last:
        return first
    one, other = RANGE.fullmatch(first), RANGE.fullmatch(last)
    if one and other and one[4] == other[4] and not one[3]:
        return f"{one[1]}{other[3]}{other[4]}" if other[3] else f"{one[1]}–{other[2] or other[1]}{other[4]}"
    return f"{first} to {last}"
