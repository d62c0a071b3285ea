"""From rows that SQL has already aggregated to a Vega-Lite spec, as plain values: one function per kind of mark."""

from __future__ import annotations

import functools
import math
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.show import compact
from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.charts.texts import groups, heading, kind, title_of
from clv_helpers.charts.theme import HEIGHT, INK, PALETTE, QUIET, RAMP, WHITE_BELOW, WIDTHS

if TYPE_CHECKING:
    import pandas as pd

Spec = dict[str, Any]
# By column: each category with what it is sorted by; None where that would disclose what is left out.
Categories = dict[str, dict[Any, Any]]
WITHOUT_AXES = ("donut", "number", "table", "funnel", "venn")
EMPTY = 30  # pixels
MARKED = "marked"  # the layer of the marks, beside that of their labels
HEIGHTS = {"number": 64, "heatmap": 330}
PICKED, SHOWN = "picked", "shown"  # the value picked in any chart of a board; the entries chosen in a legend
LOOKS: dict[str, Spec] = {
    "bar": {"type": "bar", "cornerRadiusEnd": 2},
    "line": {"type": "line", "strokeWidth": 2.5, "point": {"size": 30}},
    "area": {"type": "area", "line": {"strokeWidth": 2.5}, "fillOpacity": 0.25},
    "point": {"type": "point", "filled": True, "size": 80},
    "tick": {"type": "tick", "thickness": 3},
    "heatmap": {"type": "rect", "stroke": "white", "strokeWidth": 2},
    "donut": {"type": "arc", "innerRadius": 60, "stroke": "white"},
    "number": {"type": "text", "fontSize": 44, "fontWeight": 600, "align": "left", "color": PALETTE[0]},
}


def chart_of(widget: Widget, rows: pd.DataFrame, axes: Categories | None = None) -> Spec:
    """The widget's rows as a chart, sized, without its title; an empty place where there are none to scale by.

    An axis that `axes` names shows these categories, whether they have rows or not.
    """
    axes = axes or {}
    if rows.empty:
        return {**_with_data(rows), "mark": "point", "width": WIDTHS[widget.width], "height": EMPTY}
    match widget.mark:
        case "donut":
            chart = _donut(widget, rows)
        case "number":
            chart = _number(widget, rows)
        case "funnel":
            chart = _funnel(widget, rows)
        case "venn":
            from clv_helpers.charts.venn import venn

            chart = venn(widget, rows)
        case _:
            chart = _on_axes(widget, rows, axes)
    return {**chart, "width": WIDTHS[widget.width], "height": _height(widget, rows, axes)}


@functools.cache
def altair() -> ModuleType:
    """Altair, imported where a chart is drawn with it: it takes longer than all else here.

    Most of that is the grammar by which jsonschema checks web addresses (1.1 s), which no chart needs;
    without it, jsonschema leaves that check out.
    """
    left_out = "rfc3987_syntax"
    present = left_out in sys.modules
    if not present:
        sys.modules[left_out] = None  # type: ignore[assignment]
    import altair

    if not present:
        del sys.modules[left_out]
    return altair


def _on_axes(widget: Widget, rows: pd.DataFrame, axes: Categories) -> Spec:
    encoding = {name: _axis(name, widget.needed(name), rows, axes) for name in ("x", "y")}
    more: Spec = {"color": _color(widget, rows), "tooltip": _tooltips(widget, rows)}
    if widget.x2:
        more["x2"] = {"field": widget.x2}
    if widget.size:
        more["size"] = {"field": widget.size.column, "type": "quantitative", "title": title_of(widget.size)}
    chart = _with_picking({"mark": LOOKS[widget.mark], "encoding": {**encoding, **more}}, widget, rows)
    if widget.labels:
        params = chart.pop("params", [])
        chart = {"params": params, "layer": [{**chart, "name": MARKED}, _labels(widget, rows, encoding)]}
    return {**_with_data(_shown_columns(rows, widget)), **chart}


def _donut(widget: Widget, rows: pd.DataFrame) -> Spec:
    part = {"field": widget.needed("size").column, "type": "quantitative"}
    encoding = {
        "theta": {**part, "stack": True}, "color": _color(widget, rows),
        "order": {**part, "sort": "descending"}, "tooltip": _tooltips(widget, rows),
    }  # fmt: skip
    chart = _with_picking({"mark": LOOKS["donut"], "encoding": encoding}, widget, rows)
    return {**_with_data(_shown_columns(rows, widget)), **chart}


def _number(widget: Widget, rows: pd.DataFrame) -> Spec:
    """One figure, large: the first row's."""
    first = rows.groupby("choice").head(1) if "choice" in rows else rows.head(1)
    encoding = {"text": _figure(widget.needed("y")), "x": {"value": 0}, "tooltip": _tooltips(widget, rows)}
    return {**_with_data(_shown_columns(first, widget)), "mark": LOOKS["number"], "encoding": encoding}


def _funnel(widget: Widget, rows: pd.DataFrame) -> Spec:
    """Steps from top to bottom as bars about a middle, each with its value and its share of the first."""
    step = widget.needed("y")
    values = rows[widget.needed("x").column].astype(float)
    first = values.groupby(rows["choice"]).transform("max") if "choice" in rows else values.max()
    share = (values / first).fillna(0)
    labels = [f"{compact(v)} · {part:.0%}" for v, part in zip(values, share, strict=True)]
    shown = _shown_columns(rows, widget).assign(half=values / 2, minus=-values / 2, label=labels, inside=share > 0.3)
    y = {"field": step.column, "type": "nominal", "sort": None, "axis": {"title": title_of(step), "labelLimit": 240}}
    x = {"type": "quantitative", "axis": {"labels": False, "grid": False, "title": None}}
    text = {"field": "label", "type": "nominal"}
    bars = {"x": {"field": "minus", **x}, "x2": {"field": "half"}, "color": {"value": PALETTE[0]}}
    inside = {"x": {"value": {"expr": "width / 2"}}, "text": text, "color": {"value": "white"}}
    beside = {"x": {"field": "half", "type": "quantitative"}, "text": text, "color": {"value": INK}}
    word = {"type": "text", "fontWeight": 600}
    layers = [
        {"mark": {"type": "bar", "cornerRadius": 2}, "encoding": {**bars, "tooltip": _tooltips(widget, rows)}},
        {"transform": [{"filter": "datum.inside"}], "mark": word, "encoding": inside},
        {"transform": [{"filter": "!datum.inside"}], "mark": {**word, "align": "left", "dx": 6}, "encoding": beside},
    ]
    return {**_with_data(shown), "encoding": {"y": y}, "layer": layers}


def _with_picking(chart: Spec, widget: Widget, rows: pd.DataFrame) -> Spec:
    """What is picked anywhere on a board stands out in all charts that know its column; so do a legend's entries."""
    known = groups(widget, rows)
    if widget.mark in ("line", "area"):  # a line is one mark: only what distinguishes lines can pick one
        known = [name for name in known if widget.color and name == widget.color.column]
    if not known:
        return chart
    tests: list[Any] = [
        f"!isValid({PICKED}) || {PICKED}.column !== {name!r} || datum[{name!r}] === {PICKED}.value" for name in known
    ]
    params: list[Spec] = [{"name": PICKED, "value": None}]
    if widget.color and not widget.highlight and widget.color.column in known:
        select = {"type": "point", "fields": [widget.color.column], "toggle": "true"}
        params.append({"name": SHOWN, "select": select, "bind": "legend", "views": [MARKED]})
        tests.append({"param": SHOWN})
    opacity = {"condition": {"test": {"and": tests}, "value": 1}, "value": 0.25}
    return {**chart, "params": params, "encoding": {**chart["encoding"], "opacity": opacity}}


def _labels(widget: Widget, rows: pd.DataFrame, encoding: Spec) -> Spec:
    """The values written on the marks: in the cells of a heat map, at the ends of bars."""
    if widget.mark == "heatmap":
        field = widget.needed("color")
        dark = f"luminance(scale('color', datum[{field.column!r}])) < {WHITE_BELOW}"
        mark: Spec = {"fontSize": 11, "clip": True}
        color = _either(dark, "white", "black")
    else:
        across = kind(rows, widget.needed("x")) == "quantitative"
        field = widget.needed("x" if across else "y")
        mark, color = {"align": "left", "dx": 5} if across else {"dy": -8}, {"value": INK}
    return {"mark": {"type": "text", **mark}, "encoding": {**encoding, "text": _figure(field), "color": color}}


def _figure(field: Channel) -> Spec:
    """A number, written."""
    return {"field": field.column, "type": "quantitative", "format": field.format or ",.0f"}


def _either(test: str, one: str, other: str) -> Spec:
    return {"condition": {"test": test, "value": one}, "value": other}


def _color(widget: Widget, rows: pd.DataFrame) -> Spec:
    field = widget.color
    if widget.highlight:
        tests = [f"datum[{name!r}] === {value!r}" for name, value in widget.highlight.items()]
        return _either(" && ".join(tests), PALETTE[0], QUIET)
    if field is None:
        return {"value": PALETTE[0]}
    legend = {"orient": widget.legend, "labelLimit": 300} | ({"format": field.format} if field.format else {})
    color = {"field": field.column, "type": kind(rows, field), "title": title_of(field), **_sort(field)}
    color["legend"] = legend if widget.legend != "none" else None
    return color | ({"scale": {"range": RAMP, "zero": False}} if color["type"] == "quantitative" else {})


def _axis(name: str, field: Channel, rows: pd.DataFrame, axes: Categories) -> Spec:
    of = kind(rows, field)
    axis: Spec = {"title": title_of(field), "labelLimit": 240, "grid": of == "quantitative"}
    if field.format:
        axis["format"] = field.format
    if of == "quantitative":
        axis["tickCount"] = 6
    if name == "x" and of in ("nominal", "ordinal"):
        axis["labelAngle"] = 0
    if name == "x" and of == "nominal":  # long names stand on several lines rather than on each other
        axis["labelExpr"] = "split(datum.label, ' ')"
    known = axes.get(field.column)
    order = _sort(field) if known is None else {"scale": {"domain": in_order(field, known)}}
    return {"field": field.column, "type": of, "axis": axis, **order}


def _sort(field: Channel) -> Spec:
    """A list of values, or the name of a column to sort by, with a minus for descending."""
    if not isinstance(field.sort, str):
        return {"sort": field.sort} if field.sort else {}
    order = "descending" if field.sort.startswith("-") else "ascending"
    return {"sort": {"field": field.sort.lstrip("-"), "op": "max", "order": order}}


def _tooltips(widget: Widget, rows: pd.DataFrame) -> list[Spec]:
    formats = {"quantitative": ",.0f", "temporal": "%b %Y"}
    shown = [(field, kind(rows, field)) for field in widget.tooltip or widget.fields]
    lines = [{"field": field.column, "type": of, "title": heading(field)} for field, of in shown]
    forms = [field.format or formats.get(of) for field, of in shown]
    return [line | ({"format": form} if form else {}) for line, form in zip(lines, forms, strict=True)]


def _shown_columns(rows: pd.DataFrame, widget: Widget) -> pd.DataFrame:
    """Only the columns that the chart shows leave Python."""
    names = [field.column for field in [*widget.fields, *widget.tooltip]] + ([widget.x2] if widget.x2 else [])
    sorts = [f.sort.lstrip("-") for f in widget.fields if isinstance(f.sort, str) and f.sort.lstrip("-") in rows]
    choice = ["choice"] if "choice" in rows else []  # of a board without a kernel, see dashboards.static_board
    return rows[list(dict.fromkeys(names + sorts + list(widget.highlight) + choice))]


def _with_data(rows: pd.DataFrame) -> Spec:
    """The rows as JSON takes them: days as ISO texts, and what is no value as null."""
    days = {str(name): rows[name].dt.strftime("%Y-%m-%dT%H:%M:%S") for name in rows.select_dtypes("datetime")}
    plain = rows.assign(**days).astype(object).replace([math.inf, -math.inf], math.nan)
    records = plain.where(plain.notna(), None).to_dict("records")
    return {"data": {"name": "rows"}, "datasets": {"rows": records}}


def _height(widget: Widget, rows: pd.DataFrame, axes: Categories) -> int:
    """Room for the labels of a horizontal chart, and no more; 300 pixels for every other."""
    if widget.height or widget.mark in HEIGHTS:
        return widget.height or HEIGHTS[widget.mark]
    if widget.y and (widget.mark == "funnel" or (kind(rows, widget.y) == "nominal" and widget.mark != "venn")):
        return max(120, min(HEIGHT, 64 + 34 * len(axes.get(widget.y.column, ()) or rows[widget.y.column].unique())))
    return HEIGHT


# what stands on a discrete axis: the categories of all rows, also of those that lost theirs to suppression


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
            known = {name: order for name, order in together.get(column, {}).items() if order is not None}
            together[column] = {**orders, **known}
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
