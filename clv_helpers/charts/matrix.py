"""From where to where: up and down in two hues, who stayed framed, what is hidden hatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.charts.theme import INK, QUIET, WHITE_BELOW

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

UP, DOWN, SAME = ("#DEEBF7", "#08519C"), ("#FBE3CF", "#8C3A00"), ("#E4E4E4", "#4A4A4A")
LEGEND = "blue: moved up; brown: moved down; framed: stayed; hatched: too few to show; blank: nobody"
HATCH = "M-1,0.2L0.2,-1M-1,1L1,-1M-0.2,1L1,-0.2"


def with_hidden(widget: Widget, groups: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and those of the groups that are left out with nothing but their places."""
    import pandas as pd

    out = groups.loc[groups.index.difference(rows.index)]
    places = [field.column for field in (widget.needed("x"), widget.needed("y"))]
    places += [order for field in (widget.x, widget.y) if (order := _order(field)) in groups]
    return pd.concat([rows, out[places]], ignore_index=True) if len(out) else rows


def cells(base: alt.Chart) -> alt.Chart:
    """The cells whose share is shown."""
    return base.transform_filter("isValid(datum._fill)").mark_rect(stroke="white", strokeWidth=2)


def more(alt_: Any, rows: pd.DataFrame, x: Any, y: Any) -> list[alt.Chart]:
    """What is hidden, and the frame of who stayed."""
    base = alt_.Chart(rows)
    hatch = base.transform_filter("!isValid(datum._fill)").mark_point(
        shape=HATCH, size=130, color=QUIET, strokeWidth=1.2
    )
    frame = base.transform_filter("datum._stayed").mark_rect(fillOpacity=0, stroke=INK, strokeWidth=2)
    return [hatch.encode(x=x, y=y, tooltip=alt_.TooltipValue("Too few to show")), frame.encode(x=x, y=y)]


def with_colors(widget: Widget, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the fill of each cell, the ink of what is written in it, and whether its people stayed."""
    by = rows["choice"] if "choice" in rows else 0 * rows.index.to_series()
    share = rows[widget.needed("color").column].astype(float)
    depth = (share / share.groupby(by).transform("max")).clip(0, 1)
    now, before = (rows[_order(field) if _order(field) in rows else field.column] for field in _places(widget))
    fills: list[Any] = [_fill(part, to, was) for part, to, was in zip(depth, now, before, strict=True)]
    inks: list[Any] = [
        None if fill is None else ("white" if _luminance(fill) < WHITE_BELOW else "black") for fill in fills
    ]
    return rows.assign(_fill=fills, _ink=inks, _stayed=(now.to_numpy() == before.to_numpy()))


def _places(widget: Widget) -> tuple[Channel, Channel]:
    return widget.needed("x"), widget.needed("y")


def _order(field: Channel | None) -> str:
    return field.sort.lstrip("-") if field and isinstance(field.sort, str) else ""


def _fill(depth: float, now: float, before: float) -> str | None:
    if depth != depth:
        return None
    low, high = (UP if now < before else DOWN) if now != before else SAME
    ends = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (low, high)]
    return "#" + "".join(f"{round(a + (b - a) * depth):02x}" for a, b in zip(*ends, strict=True))


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
