"""Overlaps of three sets or more: a bar for each two of them, over a matrix of dots that says which two."""

from __future__ import annotations

import itertools
import json
import textwrap
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.show import compact
from clv_helpers.charts.theme import INK, PALETTE, QUIET

if TYPE_CHECKING:
    import altair as alt

MOST = 10  # overlaps, the largest first
BARS, BELOW, LINE = 3.2, 0.75, 20  # the height of the tallest bar and its distance, in rows; letters of a name's line
ROW = 40  # pixels
Sizes = dict[tuple[str, str], float]


def upset(alt_: Any, both: Sizes, names: list[str], title: str) -> alt.LayerChart:
    """The largest overlaps of two sets, with their sizes; `names`: the sets from the largest to the least."""
    pairs = {(a, b): both.get((a, b), both.get((b, a), 0.0)) for a, b in itertools.combinations(names, 2)}
    shown = sorted((pair for pair in pairs if pairs[pair] > 0), key=lambda pair: (-pairs[pair], pair))[:MOST]
    most, places = max((pairs[pair] for pair in shown), default=1.0), {name: row for row, name in enumerate(names)}
    bars = [
        {"at": str(at), "sets": " and ".join(pair), "n": pairs[pair], "label": compact(pairs[pair]),
         "top": -BELOW - BARS * pairs[pair] / most, "foot": -BELOW,
         "first": places[pair[0]], "last": places[pair[1]]}
        for at, pair in enumerate(shown)
    ]  # fmt: skip
    dots = [
        {"at": str(at), "row": row, "is_in": name in pair}
        for at, pair in enumerate(shown)
        for name, row in places.items()
    ]
    return _layers(alt_, bars, dots, [f"{name} ({compact(both[name, name])})" for name in names], title)


def height(sets: int) -> int:
    """In pixels."""
    return round(ROW * (sets + BARS + BELOW))


def _layers(alt_: Any, bars: list[dict[str, Any]], dots: list[dict[str, Any]], names: list[str], title: str) -> Any:
    lines = json.dumps([textwrap.wrap(name.replace("_", " "), LINE, max_lines=3) or [""] for name in names])
    domain = [-BELOW - BARS - 0.5, len(names) - 0.4]
    axis = {"values": list(range(len(names))), "labelExpr": f"{lines}[datum.value]", "grid": False, "title": None,
            "labelOverlap": False, "labelLineHeight": 13}  # fmt: skip
    scale = {"domain": domain, "reverse": True, "nice": False, "zero": False}
    x = alt_.X(field="at", type="nominal", axis=None, sort=None, scale={"paddingInner": 0.35, "paddingOuter": 0.2})

    def y(name: str) -> Any:
        return alt_.Y(field=name, type="quantitative", scale=scale, axis=axis)

    told = [alt_.Tooltip(field="sets", type="nominal", title="In both"),
            alt_.Tooltip(field="n", type="quantitative", title=title, format=",.0f")]  # fmt: skip
    of_bars, of_dots = alt_.Chart(alt_.Data(values=bars)), alt_.Chart(alt_.Data(values=dots))
    dot = of_dots.mark_point(filled=True, size=130, opacity=1)
    return alt_.layer(
        of_bars.mark_bar(color=PALETTE[0], cornerRadius=2).encode(
            x=x, y=y("top"), y2=alt_.Y2(field="foot"), tooltip=told
        ),
        of_bars.mark_text(dy=-9, fontSize=12, color=INK).encode(x=x, y=y("top"), text=alt_.Text("label:N")),
        dot.transform_filter("!datum.is_in").encode(
            x=x, y=y("row"), color=alt_.ColorValue(QUIET), opacity=alt_.OpacityValue(0.35)
        ),
        of_bars.mark_rule(strokeWidth=3, color=PALETTE[0]).encode(x=x, y=y("first"), y2=alt_.Y2(field="last")),
        dot.transform_filter("datum.is_in").encode(x=x, y=y("row"), color=alt_.ColorValue(PALETTE[0])),
    )
