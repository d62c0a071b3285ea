"""The names of up to four lines at their ends, in the place of a legend, none over another."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import title_of
from clv_helpers.charts.theme import HEIGHT, INK

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

LAYER = "ends"  # by this name a page leaves them out for a legend where there is no room
MOST, LONGEST = 4, 16  # lines; letters of a row of their names
ROW, PLOT = 15, HEIGHT - 60  # pixels of a row of text; of the plot's height


def has_room(widget: Widget, rows: pd.DataFrame) -> bool:
    """Whether a chart is one of lines that are few enough to be named at their ends."""
    if widget.mark != "line" or not widget.color or widget.legend == "none" or widget.highlight:
        return False
    names = rows[widget.color.column].dropna().astype(str).unique()
    return 2 <= len(names) <= MOST and max(len(line) for name in names for line in _lines(name)) <= LONGEST + 4


def layers(alt_: Any, widget: Widget, rows: pd.DataFrame, color: alt.Color) -> list[alt.LayerChart]:
    """A dot in the line's colour at the right edge, and its name beside it."""
    base = alt_.Chart(_places(widget, rows))
    y = alt_.Y(field="_at", type="quantitative", title=title_of(widget.needed("y")))
    dots = base.mark_point(filled=True, size=50, opacity=1).encode(
        x=alt_.XValue({"expr": "width + 8"}), y=y, color=color
    )
    words = base.mark_text(align="left", fontSize=12, lineBreak="\n", lineHeight=ROW, color=INK)
    words = words.encode(x=alt_.XValue({"expr": "width + 15"}), y=y, text=alt_.Text("_name:N"))
    return [dots.properties(name=f"{LAYER}_dots"), words.properties(name=f"{LAYER}_names")]


def _places(widget: Widget, rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    x, y, name = (widget.needed(axis).column for axis in ("x", "y", "color"))
    choices = [part for _, part in rows.groupby("choice")] if "choice" in rows else [rows]
    ends = []
    for part in choices:
        known = part.dropna(subset=[y]).sort_values(x, kind="stable")
        last = (
            known.groupby(name, sort=False).tail(1).sort_values(y)[[name, y, *(["choice"] if "choice" in part else [])]]
        )
        names = ["\n".join(_lines(str(of))) for of in last[name]]
        heights = [ROW * (1 + text.count("\n")) for text in names]
        span = max(known[y].max(), 0) - min(known[y].min(), 0)
        ends.append(last.assign(_name=names, _at=apart(list(last[y].astype(float)), heights, float(span) / PLOT)))
    return pd.concat(ends, ignore_index=True).drop(columns=y)


def apart(values: list[float], heights: list[int], unit: float) -> list[float]:
    """Rising values moved as little as it takes for texts of these heights not to touch; `unit`: a pixel's worth.

    Example:
        >>> apart([10.0, 10.0, 50.0], [15, 15, 15], 1.0)
        [2.5, 17.5, 50.0]
    """
    groups = [[index] for index in range(len(values))]
    while (
        first := next((i for i, pair in enumerate(pairwise(groups)) if _touch(*pair, values, heights, unit)), -1)
    ) >= 0:
        groups[first : first + 2] = [groups[first] + groups[first + 1]]
    places = dict.fromkeys(range(len(values)), 0.0)
    for group in groups:
        at = _middle(group, values) - unit * sum(heights[i] for i in group) / 2
        for index in group:
            places[index] = at + unit * heights[index] / 2
            at += unit * heights[index]
    return [places[index] for index in range(len(values))]


def _touch(one: list[int], other: list[int], values: list[float], heights: list[int], unit: float) -> bool:
    needed = unit * sum(heights[i] for i in (*one, *other)) / 2
    return _middle(other, values) - _middle(one, values) < needed - 1e-9 * abs(needed)


def _middle(group: list[int], values: list[float]) -> float:
    return sum(values[index] for index in group) / len(group)


def _lines(name: str) -> list[str]:
    return textwrap.wrap(name, LONGEST) or [""]
