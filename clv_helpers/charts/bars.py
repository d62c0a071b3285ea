"""Bars: how wide they are along a time, and what is written at their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.charts.texts import kind

if TYPE_CHECKING:
    import pandas as pd


def steps(times: pd.Series) -> float:
    """How many bars stand side by side from the first time to the last, with those that are left out between them."""
    known = times.drop_duplicates().sort_values()
    return (known.iloc[-1] - known.iloc[0]) / known.diff().min() + 1 if len(known) > 1 else 1


def outside(widget: Widget, across: bool) -> dict[str, Any]:
    """On which side of a bar's end its value is written: away from where the bar begins."""
    end = widget.needed("x" if across else "y").column
    falls = f"datum[{end!r}] < {f'datum[{widget.x2!r}]' if widget.x2 else 0}"
    if across:
        return {"align": {"expr": f"{falls} ? 'right' : 'left'"}, "dx": {"expr": f"{falls} ? -5 : 5"}}
    return {"dy": {"expr": f"{falls} ? 9 : -8"}}


def labelled(widget: Widget, rows: pd.DataFrame, axis: str) -> Channel:
    """The number written at a bar's end: its value, or of a bar that begins at x2 the first number of the tooltip."""
    numbers = [field for field in widget.tooltip if kind(rows, field) == "quantitative"] if widget.x2 else []
    return numbers[0] if numbers else widget.needed(axis)
