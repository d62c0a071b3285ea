"""Overlaps of two or three sets as circles whose areas, and for two sets their overlap too, are in proportion."""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.errors import ChartError
from clv_helpers.charts.show import compact
from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import title_of
from clv_helpers.charts.theme import INK, PALETTE

if TYPE_CHECKING:
    import pandas as pd

Circle = tuple[float, float, float]  # x, y, radius


def venn(alt: ModuleType, widget: Widget, rows: pd.DataFrame) -> Any:
    """The sets are named by x and y; size counts who is in both, in x alone where they are the same.

    Raises ChartError for fewer than two sets or more than three.
    """
    both = {(r[0], r[1]): float(r[2]) for r in rows[_columns(widget)].itertuples(index=False)}
    names = sorted({a for a, b in both if a == b}, key=lambda name: (-both[name, name], name))
    if len(names) not in (2, 3):
        raise ChartError(f"widget {widget.title!r} is a venn of {len(names)} sets; allowed: two or three (use filters)")
    sizes = [both[name, name] for name in names]
    shared = {(i, j): both.get((names[i], names[j]), both.get((names[j], names[i]), 0.0))
              for i in range(len(names)) for j in range(i)}  # fmt: skip
    circles = place(sizes, shared)
    shapes = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [_outline(circle)]}, "set": name, "n": size}
        for circle, name, size in zip(circles, names, sizes, strict=True)
    ]
    words = _words(circles, names, sizes, shared)
    tooltip = [
        alt.Tooltip("set:N", title="Set"),
        alt.Tooltip("n:Q", title=title_of(widget.needed("size")), format=",.0f"),
    ]
    color = alt.Color("set:N", legend=None, scale=alt.Scale(domain=names, range=PALETTE[: len(names)]))
    areas = (
        alt.Chart(alt.Data(values=shapes))
        .mark_geoshape(fillOpacity=0.3, strokeWidth=2)
        .encode(color=color, stroke=color, tooltip=tooltip)
    )
    texts = (
        alt.Chart(alt.Data(values=words))
        .mark_text(fontSize=12, lineBreak="\n")
        .encode(longitude="x:Q", latitude="y:Q", text="text:N", color=alt.value(INK))
    )
    return alt.layer(areas, texts).project(type="identity", reflectY=True)


def _columns(widget: Widget) -> list[str]:
    return [widget.needed("x").column, widget.needed("y").column, widget.needed("size").column]


def place(sizes: list[float], shared: dict[tuple[int, int], float]) -> list[Circle]:
    """Circles by area; two overlap by what they share, a third stands where its distances to both fit best."""
    radii = [math.sqrt(max(size, 1e-9) / math.pi) for size in sizes]
    apart = {pair: distance(radii[pair[0]], radii[pair[1]], common) for pair, common in shared.items()}
    first, second = (0.0, 0.0, radii[0]), (apart[1, 0], 0.0, radii[1])
    if len(sizes) == 2:
        return [first, second]
    base = max(apart[1, 0], 1e-9)
    x = (apart[2, 0] ** 2 - apart[2, 1] ** 2 + base**2) / (2 * base)
    y = math.sqrt(max(apart[2, 0] ** 2 - x**2, 0.0))
    return [first, second, (x, -y, radii[2])]


def distance(a: float, b: float, common: float) -> float:
    """How far apart two circles of these radii stand whose overlap has this area; found by halving."""
    if common <= 0:
        return (a + b) * 1.04
    low, high = abs(a - b), a + b
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if overlap(a, b, middle) > common else (low, middle)
    return low


def overlap(a: float, b: float, apart: float) -> float:
    """The area that two circles share (the sum of two circular segments)."""
    if apart >= a + b:
        return 0.0
    if apart <= abs(a - b):
        return math.pi * min(a, b) ** 2
    at_a = math.acos((apart**2 + a**2 - b**2) / (2 * apart * a))
    at_b = math.acos((apart**2 + b**2 - a**2) / (2 * apart * b))
    return a**2 * (at_a - math.sin(2 * at_a) / 2) + b**2 * (at_b - math.sin(2 * at_b) / 2)


def _outline(circle: Circle, corners: int = 72) -> list[list[float]]:
    x, y, radius = circle
    angles = [-2 * math.pi * step / corners for step in range(corners + 1)]
    return [[round(x + radius * math.cos(a), 3), round(y + radius * math.sin(a), 3)] for a in angles]


def _words(
    circles: list[Circle], names: list[str], sizes: list[float], shared: dict[tuple[int, int], float]
) -> list[dict[str, Any]]:
    """Each set's name on the side away from the others, and each overlap's number in it."""
    middle = [sum(c[axis] for c in circles) / len(circles) for axis in (0, 1)]
    words = []
    for (x, y, radius), name, size in zip(circles, names, sizes, strict=True):
        away = math.hypot(x - middle[0], y - middle[1]) or 1.0
        step = radius * 0.45 / away
        place = (x + (x - middle[0]) * step, y + (y - middle[1]) * step)
        words.append({"x": place[0], "y": place[1], "text": f"{name.replace('_', ' ')}\n{compact(size)}"})
    for (i, j), common in shared.items():
        if common > 0:
            (ax, ay, ar), (bx, by, br) = circles[i], circles[j]
            apart = math.hypot(bx - ax, by - ay) or 1.0
            along = (max(-ar, apart - br) + min(ar, apart + br)) / 2 / apart
            words.append({"x": ax + (bx - ax) * along, "y": ay + (by - ay) * along, "text": compact(common)})
    return words
