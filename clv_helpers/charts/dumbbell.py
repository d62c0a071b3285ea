"""Two shares of the same things, side by side: a dot for each, and the line between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.charts.texts import header, title_of
from clv_helpers.charts.theme import INK, PALETTE, QUIET

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def compared(widget: Widget) -> Channel:
    """What x is compared with: titled as in the tooltip, written as x is."""
    told = next((field for field in widget.tooltip if field.column == widget.x2), None)
    title = title_of(told) if told else header(str(widget.x2))
    return Channel(column=str(widget.x2), title=title, format=widget.needed("x").format)


def layers(alt_: Any, widget: Widget, shown: pd.DataFrame, *, x: Any, y: Any, more: dict[str, Any]) -> list[alt.Chart]:
    """The line, and a dot at each end; the legend says which is which."""
    ends = [compared(widget), widget.needed("x")]
    scale = {"domain": [title_of(end) for end in ends], "range": [QUIET, PALETTE[0]]}
    legend = {"title": None, "orient": "top", "symbolOpacity": 1}
    base = alt_.Chart(shown).encode(y=y, tooltip=more["tooltip"])
    drawn = [base.mark_rule(strokeWidth=3, color=QUIET, opacity=0.5).encode(x=x, x2=alt_.X2(field=widget.x2))]
    for end in ends:
        at = alt_.X(field=end.column, type="quantitative", title=None)
        color = alt_.ColorDatum(title_of(end), type="nominal", scale=scale, legend=legend)
        drawn.append(base.mark_point(filled=True, size=110, opacity=1).encode(x=at, color=color))
    return drawn


def labels(alt_: Any, widget: Widget, shown: pd.DataFrame, y: Any) -> list[alt.Chart]:
    """Each number on the outer side of its dot."""
    one, other = widget.needed("x"), compared(widget)
    sides = [
        (one, "<", other, "right"),
        (one, ">=", other, "left"),
        (other, "<=", one, "right"),
        (other, ">", one, "left"),
    ]
    y["axis"]["labelPadding"] = 40  # room for a number left of the first dot
    return [
        alt_.Chart(shown)
        .transform_filter(f"datum[{end.column!r}] {sign} datum[{against.column!r}]")
        .mark_text(align=align, dx=9 if align == "left" else -9, fontSize=11, color=INK)
        .encode(
            x=alt_.X(field=end.column, type="quantitative", title=None),
            y=y,
            text=alt_.Text(field=end.column, format=end.format or ",.0f"),
        )
        for end, sign, against, align in sides
    ]
