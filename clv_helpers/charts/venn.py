"""Overlaps of two sets as circles that are in proportion, and so is what they share; of more as a matrix (upset)."""

from __future__ import annotations

import cmath
import math
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.show import compact
from clv_helpers.charts.spec import ChartError, Widget
from clv_helpers.charts.texts import title_of
from clv_helpers.charts.theme import INK, PALETTE
from clv_helpers.charts.upset import upset

if TYPE_CHECKING:
    import pandas as pd

Circle = tuple[complex, float]  # centre, radius


def venn(alt: ModuleType, widget: Widget, rows: pd.DataFrame) -> Any:
    """The sets are named by x and y; size counts who is in both, in x alone where they are the same.

    Raises ChartError for fewer than two sets.
    """
    columns = [field.column for field in map(widget.needed, ("x", "y", "size"))]
    both = {(one, other): float(size) for one, other, size in rows[columns].itertuples(index=False)}
    names = sorted({a for a, b in both if a == b}, key=lambda name: (-both[name, name], name))
    if len(names) < 2:
        raise ChartError(f"widget {widget.title!r} is a venn of {len(names)} sets; allowed: two or more (use filters)")
    if len(names) > 2:
        return upset(alt, both, names, title_of(widget.needed("size")))
    sizes = [both[name, name] for name in names]
    shared = both.get((names[0], names[1]), both.get((names[1], names[0]), 0.0))
    circles = place(sizes, shared)
    sets = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [_outline(circle)]}, "set": name, "n": size}
        for circle, name, size in zip(circles, names, sizes, strict=True)
    ]
    count = alt.Tooltip("n:Q", title=title_of(widget.needed("size")), format=",.0f")
    color = alt.Color("set:N", legend=None, scale=alt.Scale(domain=names, range=PALETTE[: len(names)]))
    areas = alt.Chart(alt.Data(values=sets)).mark_geoshape(fillOpacity=0.3, strokeWidth=2)
    words = alt.Chart(alt.Data(values=_words(circles, names, sizes, shared))).mark_text(fontSize=12, lineBreak="\n")
    return alt.layer(
        areas.encode(color=color, stroke=color, tooltip=[alt.Tooltip("set:N", title="Set"), count]),
        words.encode(alt.Longitude("x:Q"), alt.Latitude("y:Q"), alt.Text("text:N"), alt.ColorValue(INK)),
    ).project(type="identity", reflectY=True)


def place(sizes: list[float], shared: float) -> list[Circle]:
    """Two circles by area, which overlap by what they share."""
    one, other = (math.sqrt(max(size, 1e-9) / math.pi) for size in sizes)
    return [(0j, one), (complex(distance(one, other, shared)), other)]


def distance(a: float, b: float, common: float) -> float:
    """How far apart two circles of these radii stand whose overlap has this area."""
    from scipy.optimize import brentq

    if common <= 0:
        return (a + b) * 1.04
    near = abs(a - b)
    return near if overlap(a, b, near) <= common else brentq(lambda d: overlap(a, b, d) - common, near, a + b)


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
    points = [circle[0] + cmath.rect(circle[1], -2 * math.pi * step / corners) for step in range(corners + 1)]
    return [[round(point.real, 3), round(point.imag, 3)] for point in points]


def _words(circles: list[Circle], names: list[str], sizes: list[float], shared: float) -> list[dict[str, Any]]:
    """Each set's name on the side away from the other, and the overlap's number in it."""
    (one, radius), (other, other_radius) = circles
    sides = ((one, -radius), (other, other_radius))
    words = [
        (centre + side * 0.45, f"{name.replace('_', ' ')}\n{compact(size)}")
        for (centre, side), name, size in zip(sides, names, sizes, strict=True)
    ]
    if shared > 0:
        apart = abs(other - one)
        words.append(
            (one + (max(-radius, apart - other_radius) + min(radius, apart + other_radius)) / 2, compact(shared))
        )
    return [{"x": place.real, "y": place.imag, "text": text} for place, text in words]
