"""Overlaps of two or three sets as circles whose areas, and for two sets their overlap too, are in proportion."""

from __future__ import annotations

import cmath
import math
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.show import compact
from clv_helpers.charts.spec import ChartError, Widget
from clv_helpers.charts.texts import title_of
from clv_helpers.charts.theme import INK, PALETTE

if TYPE_CHECKING:
    import pandas as pd

Circle = tuple[complex, float]  # centre, radius


def venn(alt: ModuleType, widget: Widget, rows: pd.DataFrame) -> Any:
    """The sets are named by x and y; size counts who is in both, in x alone where they are the same.

    Raises ChartError for fewer than two sets or more than three.
    """
    columns = [field.column for field in map(widget.needed, ("x", "y", "size"))]
    both = {(one, other): float(size) for one, other, size in rows[columns].itertuples(index=False)}
    names = sorted({a for a, b in both if a == b}, key=lambda name: (-both[name, name], name))
    if len(names) not in (2, 3):
        raise ChartError(f"widget {widget.title!r} is a venn of {len(names)} sets; allowed: two or three (use filters)")
    sizes = [both[name, name] for name in names]
    shared = {(i, j): both.get((names[i], names[j]), both.get((names[j], names[i]), 0.0))
              for i in range(len(names)) for j in range(i)}  # fmt: skip
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
        words.encode(longitude="x:Q", latitude="y:Q", text="text:N", color=alt.value(INK)),
    ).project(type="identity", reflectY=True)


def place(sizes: list[float], shared: dict[tuple[int, int], float]) -> list[Circle]:
    """Circles by area; two overlap by what they share, a third stands where its distances to both fit best."""
    radii = [math.sqrt(max(size, 1e-9) / math.pi) for size in sizes]
    apart = {pair: distance(radii[pair[0]], radii[pair[1]], common) for pair, common in shared.items()}
    first, second = (0j, radii[0]), (complex(apart[1, 0]), radii[1])
    if len(sizes) == 2:
        return [first, second]
    base = max(apart[1, 0], 1e-9)
    x = (apart[2, 0] ** 2 - apart[2, 1] ** 2 + base**2) / (2 * base)
    y = math.sqrt(max(apart[2, 0] ** 2 - x**2, 0.0))
    return [first, second, (complex(x, -y), radii[2])]


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


def _words(
    circles: list[Circle], names: list[str], sizes: list[float], shared: dict[tuple[int, int], float]
) -> list[dict[str, Any]]:
    """Each set's name on the side away from the others, and each overlap's number in it."""
    middle = sum(centre for centre, _ in circles) / len(circles)
    words = []
    for (centre, radius), name, size in zip(circles, names, sizes, strict=True):
        away = centre - middle
        words.append((centre + away * radius * 0.45 / (abs(away) or 1), f"{name.replace('_', ' ')}\n{compact(size)}"))
    for (i, j), common in shared.items():
        if common > 0:
            (one, radius), (other, other_radius) = circles[i], circles[j]
            apart = abs(other - one) or 1
            along = (max(-radius, apart - other_radius) + min(radius, apart + other_radius)) / 2
            words.append((one + (other - one) * along / apart, compact(common)))
    return [{"x": place.real, "y": place.imag, "text": text} for place, text in words]
