"""From rows that SQL has already aggregated to an altair chart: one function per kind of mark."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import bars, dumbbell, events, line_ends, matrix, upset
from clv_helpers.charts.categories import Categories, in_order
from clv_helpers.charts.show import compact
from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.charts.texts import groups, heading, kind, title_of
from clv_helpers.charts.theme import HEIGHT, INK, PALETTE, QUIET, RAMP, WHITE_BELOW, WIDTHS

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart

EMPTY = 30  # pixels
LINES = ("line", "area")
MOST_DOTS = 40  # on a line; more of them hide it
PICKED, SHOWN = "picked", "shown"  # the value picked in any chart of a board; the entries chosen in a legend


def chart_of(
    widget: Widget, rows: pd.DataFrame, axes: Categories | None = None, happened: pd.DataFrame | None = None
) -> AnyChart:
    """The widget's rows as a chart, sized, without its title; an empty place where there are none to scale by.

    An axis that `axes` names shows these categories, whether they have rows or not. `happened`: see charts.events.
    """
    axes = _without_bare_names(widget, rows, axes or {})
    if rows.empty:
        return altair().Chart({"values": []}).mark_point().properties(width=WIDTHS[widget.width], height=EMPTY)
    chart: AnyChart
    match widget.mark:
        case "donut":
            chart = _donut(widget, rows)
        case "number":
            chart = _number(widget, rows)
        case "funnel":
            chart = _funnel(widget, rows)
        case "venn":
            from clv_helpers.charts.venn import venn

            chart = venn(altair(), widget, rows)
        case _:
            chart = _on_axes(widget, rows, axes, happened)
    return chart.properties(width=WIDTHS[widget.width], height=_height(widget, rows, axes))


def _without_bare_names(widget: Widget, rows: pd.DataFrame, axes: Categories) -> Categories:
    """The axes, of names below each other only those that have rows: how many are left out stands in a note."""
    if widget.mark not in ("bar", "dumbbell") or not widget.y or widget.y.column not in axes:
        return axes
    if kind(rows, widget.y) != "nominal":
        return axes
    column, kept = widget.y.column, set(rows[widget.y.column])
    return axes | {column: {name: order for name, order in axes[column].items() if name in kept}}


@functools.cache
def altair() -> ModuleType:
    """Altair, imported where a chart is drawn: it takes longer than all else here.

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


def _on_axes(widget: Widget, rows: pd.DataFrame, axes: Categories, happened: pd.DataFrame | None) -> AnyChart:
    alt = altair()
    shown = _shown_columns(rows, widget)
    shown = matrix.with_colors(widget, shown) if widget.mark == "matrix" else shown
    base = alt.Chart(shown)
    x, y = (_encode(widget, name, rows, axes) for name in ("x", "y"))
    more: dict[str, Any] = {"tooltip": _tooltips(widget, rows)}
    if (color := _color(widget, rows)) is not None:
        more["color"] = color
    if widget.beside:
        is_beside = f"datum[{widget.needed('color').column!r}] === {widget.beside!r}"
        more["strokeDash"] = _where(alt.StrokeDashValue, is_beside, [5, 4], [1, 0])
    if widget.mark == "dumbbell":
        drawn = dumbbell.layers(alt, widget, shown, x=x, y=y, more=more)
        return alt.layer(*drawn, *(dumbbell.labels(alt, widget, shown, y) if widget.labels else []))
    if widget.x2:
        more["x2"] = alt.X2(field=widget.x2)
    if widget.size:
        more["size"] = alt.Size(field=widget.size.column, type="quantitative", title=title_of(widget.size))
    match widget.mark:
        case "bar":
            marked = base.mark_bar(cornerRadiusEnd=2)
            if kind(rows, widget.needed("x")) == "temporal":  # they have no width of their own
                step = WIDTHS[widget.width] / bars.steps(rows[widget.needed("x").column])
                marked = base.mark_bar(size=round(0.7 * step, 1))
                x.scale = alt.Scale(padding=round(0.5 * step, 1))
        case "line":
            marked = base.mark_line(
                strokeWidth=2.5, point={"size": 30} if rows[widget.needed("x").column].nunique() <= MOST_DOTS else False
            )
        case "area":
            marked = base.mark_area(line={"strokeWidth": 2.5}, fillOpacity=0.25)
        case "point":
            marked = base.mark_point(filled=True, size=80)
        case "tick":
            marked = base.mark_tick(thickness=3)
        case "matrix":
            marked = matrix.cells(base)
        case _:
            marked = base.mark_rect(stroke="white", strokeWidth=2)
    layers: list[Any] = [_with_picking(marked.encode(x=x, y=y, **more), widget, rows)]
    if widget.mark == "matrix":
        layers += matrix.more(alt, shown, x, y)
    if widget.interval and widget.mark == "bar":
        layers.append(_interval(widget, rows, x, y))
    if widget.highlight and widget.mark in LINES:
        layers += _marked_point(widget, rows, x, y)
    if widget.labels:
        layers.append(_labels(widget, base, rows, x=x, y=y))
    if line_ends.has_room(widget, rows):
        layers += line_ends.layers(alt, widget, rows, color)
    if happened is not None:
        layers = [*events.layers(alt, happened), *layers]
    return alt.layer(*layers) if len(layers) > 1 else layers[0]


def _marked_point(widget: Widget, rows: pd.DataFrame, x: Any, y: Any) -> list[alt.Chart]:
    """The point of a line that stands out, with its value beside it."""
    alt, field = altair(), widget.needed("y")
    base = alt.Chart(_shown_columns(rows, widget)).transform_filter(_highlighted(widget))
    text = _written(base, field).mark_text(align="left", dx=9, dy=8, fontSize=13, fontWeight=600, color=INK)
    text = text.encode(x=x, y=y, text=alt.Text("label:N"))
    return [base.mark_point(filled=True, size=110, color=PALETTE[0], opacity=1).encode(x=x, y=y), text]


def _highlighted(widget: Widget) -> str:
    return " && ".join(f"datum[{name!r}] === {value!r}" for name, value in widget.highlight.items())


def _where(channel: Any, test: Any, then: Any, otherwise: Any) -> Any:
    """A channel with one of two values. What is no channel Altair reads by its whole schema: 20 ms each."""
    return channel(otherwise, condition={"test": test, "value": then})


def _leading(widget: Widget, rows: pd.DataFrame) -> str:
    """The mark in the first colour: what is picked by a column that the chart shows, else what stands out."""
    test = _highlighted(widget)
    for name in groups(widget, rows):
        test = f"{_is_picked_by(name)} ? datum[{name!r}] === {PICKED}.value : {test}"
    return test


def _is_picked_by(name: str) -> str:
    return f"isValid({PICKED}) && {PICKED}.column === {name!r}"


def _interval(widget: Widget, rows: pd.DataFrame, x: Any, y: Any) -> alt.Chart:
    """A line on each bar, from the lower to the upper bound of its value."""
    alt, (low, high) = altair(), widget.interval
    rule = alt.Chart(_shown_columns(rows, widget)).mark_rule(color=INK, strokeWidth=1.5)
    if kind(rows, widget.needed("x")) == "quantitative":
        ends = {
            "x": alt.X(field=low, type="quantitative", title=title_of(widget.needed("x"))),
            "x2": alt.X2(field=high),
            "y": y,
        }
    else:
        ends = {
            "y": alt.Y(field=low, type="quantitative", title=title_of(widget.needed("y"))),
            "y2": alt.Y2(field=high),
            "x": x,
        }
    return rule.encode(**ends)


def _donut(widget: Widget, rows: pd.DataFrame) -> alt.Chart:
    alt = altair()
    arc = alt.Chart(_shown_columns(rows, widget)).mark_arc(innerRadius=60, stroke="white")
    size = widget.needed("size").column
    order = alt.Order(field=size, type="quantitative", sort="descending")
    theta = alt.Theta(field=size, type="quantitative", stack=True)
    encoded = arc.encode(theta=theta, color=_color(widget, rows), order=order, tooltip=_tooltips(widget, rows))
    return _with_picking(encoded, widget, rows)


def _number(widget: Widget, rows: pd.DataFrame) -> alt.Chart:
    """One figure, large: the first row's."""
    alt, field = altair(), widget.needed("y")
    figure = _written(alt.Chart(_shown_columns(_first(rows), widget)), field).mark_text(
        fontSize=44, fontWeight=600, align="left", color=PALETTE[0]
    )
    return figure.encode(text=alt.Text("label:N"), x=alt.XValue(0), tooltip=_tooltips(widget, rows))


def _first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby("choice").head(1) if "choice" in rows else rows.head(1)


def _funnel(widget: Widget, rows: pd.DataFrame) -> alt.Chart:
    """Steps from top to bottom as bars about a middle, each with its value and its share of the first."""
    alt = altair()
    value, step = widget.needed("x").column, widget.needed("y")
    values = rows[value].astype(float)
    first = values.groupby(rows["choice"]).transform("max") if "choice" in rows else values.max()
    share = (values / first).fillna(0)
    labels = [f"{compact(v)} · {part:.0%}" for v, part in zip(values, share, strict=True)]
    shown = _shown_columns(rows, widget).assign(half=values / 2, minus=-values / 2, label=labels, inside=share > 0.3)
    base = alt.Chart(shown)
    hidden = alt.Axis(labels=False, grid=False, title=None)
    y = alt.Y(field=step.column, type="nominal", sort=None, axis=alt.Axis(title=title_of(step), labelLimit=240))
    x = alt.X(field="minus", type="quantitative", axis=hidden)
    drawn = base.mark_bar(cornerRadius=2).encode(
        y=y, x=x, x2=alt.X2(field="half"), color=alt.ColorValue(PALETTE[0]), tooltip=_tooltips(widget, rows)
    )
    words = base.transform_filter("datum.inside").mark_text(fontWeight=600)
    words = words.encode(
        y=y,
        x=alt.XValue({"expr": "width / 2"}),
        text=alt.Text("label:N"),
        color=alt.ColorValue("white"),
    )
    beside = base.transform_filter("!datum.inside").mark_text(fontWeight=600, align="left", dx=6)
    beside = beside.encode(
        y=y,
        x=alt.X(field="half", type="quantitative"),
        text=alt.Text("label:N"),
        color=alt.ColorValue(INK),
    )
    return drawn + words + beside


def _with_picking(chart: alt.Chart, widget: Widget, rows: pd.DataFrame) -> alt.Chart:
    """What is picked anywhere on a board stands out in all charts that know its column; so do a legend's entries."""
    alt = altair()
    known = groups(widget, rows)
    if widget.mark in LINES:  # a line is one mark: only what distinguishes lines can pick one
        known = [name for name in known if widget.color and name == widget.color.column]
    if not known:
        return chart
    tests: list[Any] = [f"!({_is_picked_by(name)}) || datum[{name!r}] === {PICKED}.value" for name in known]
    chart = chart.add_params(alt.param(name=PICKED, value=None))
    named = widget.legend != "none" and not line_ends.has_room(widget, rows)
    if named and widget.color and not widget.highlight and kind(rows, widget.color) in ("nominal", "ordinal"):
        chart = chart.add_params(
            alt.selection_point(name=SHOWN, fields=[widget.color.column], bind="legend", toggle="true")
        )
        tests.append({"param": SHOWN})
    return chart.encode(opacity=_where(alt.OpacityValue, {"and": tests}, 1, 0.25))


def _labels(widget: Widget, base: alt.Chart, rows: pd.DataFrame, *, x: Any, y: Any) -> alt.Chart:
    """The values written on the marks: in the cells of a heat map, at the ends of bars."""
    alt = altair()
    if widget.mark == "matrix":
        field, color = widget.needed("color"), alt.Color(field="_ink", type="nominal", scale=None)
        text = base.transform_filter("isValid(datum._fill)").mark_text(fontSize=11, clip=True)
    elif widget.mark == "heatmap":
        field = widget.needed("color")
        dark = f"luminance(scale('color', datum[{field.column!r}])) < {WHITE_BELOW}"
        color = _where(alt.ColorValue, dark, "white", "black")
        text = base.mark_text(fontSize=11, clip=True)
    else:
        across = kind(rows, widget.needed("x")) == "quantitative"
        field = bars.labelled(widget, rows, "x" if across else "y")
        color = alt.ColorValue(INK)
        text = base.mark_text(**bars.outside(widget, across))
    return _written(text, field).encode(x=x, y=y, text=alt.Text("label:N"), color=color)


def _color(widget: Widget, rows: pd.DataFrame) -> Any:
    alt = altair()
    if widget.highlight and widget.mark not in LINES:
        return _where(alt.ColorValue, _leading(widget, rows), PALETTE[0], QUIET)
    if widget.color is None:
        return alt.ColorValue(PALETTE[0])
    if widget.mark == "matrix":
        return alt.Color(field="_fill", type="nominal", scale=None)
    field = widget.color
    is_shown = widget.legend != "none" and not line_ends.has_room(widget, rows)
    legend = alt.Legend(orient=widget.legend, labelLimit=300) if is_shown else None
    if legend and field.format:
        legend.format = field.format
    if widget.beside and widget.mark in LINES:
        return _beside(widget, rows, legend)
    return alt.Color(
        field=field.column,
        type=kind(rows, field),
        title=title_of(field),
        legend=legend,
        sort=_sort(field),
        scale=alt.Scale(range=RAMP, zero=False) if kind(rows, field) == "quantitative" else alt.Undefined,
    )


def _beside(widget: Widget, rows: pd.DataFrame, legend: Any) -> Any:
    """The lines' colours, grey for what is there to compare with."""
    alt, field = altair(), widget.needed("color")
    others = [name for name in rows[field.column].drop_duplicates() if name != widget.beside]
    beside = [widget.beside] if (rows[field.column] == widget.beside).any() else []
    scale = alt.Scale(domain=[*others, *beside], range=[*PALETTE[: len(others)], QUIET])
    return alt.Color(field=field.column, type="nominal", title=title_of(field), legend=legend, scale=scale)


def _encode(widget: Widget, name: str, rows: pd.DataFrame, axes: Categories) -> Any:
    alt, field, is_across = altair(), widget.needed(name), name == "x"
    of = kind(rows, field)
    options: dict[str, Any] = {"sort": _sort(field)}
    axis: dict[str, Any] = {"title": title_of(field), "labelLimit": 240, "grid": of == "quantitative"}
    if field.format:
        axis["format"] = field.format
    if of == "quantitative":
        axis["tickCount"] = 6
        if "s" in (field.format or ""):
            axis["labelExpr"] = f"datum.value === 0 ? '0' : {_spaced('datum.label')}"  # and not 0k
    if of == "temporal":
        axis |= {"labelOverlap": "parity", "labelSeparation": 10}  # every second, so that steps stay even
    if widget.labels and widget.mark == "bar" and of == "quantitative" and (rows[field.column] < 0).any():
        options["scale"] = alt.Scale(padding=44 if is_across else 16)  # room for what is written below the least
    if is_across and of == "nominal":  # long names stand on several lines rather than on each other
        axis |= {"labelAngle": 0, "labelExpr": "split(datum.label, ' ')"}
    if is_across and of == "ordinal":
        axis["labelAngle"] = 0
    if field.column in axes:
        options |= {"sort": alt.Undefined, "scale": alt.Scale(domain=in_order(field, axes[field.column]))}
    return (alt.X if is_across else alt.Y)(field=field.column, type=of, axis=alt.Axis(**axis), **options)


def _spaced(text: str) -> str:
    """An expression that parts a number from its unit, as titles do: 22 k."""
    return f"replace({text}, regexp('([kMGT])$'), ' $1')"


def _written(chart: alt.Chart, field: Channel) -> alt.Chart:
    """The chart with its numbers written out in the column `label`."""
    return chart.transform_calculate(label=_spaced(f"format(datum[{field.column!r}], {field.format or ',.0f'!r})"))


def _sort(field: Channel) -> Any:
    """A list of values, or the name of a column to sort by, with a minus for descending."""
    alt = altair()
    if isinstance(field.sort, str):
        order = "descending" if field.sort.startswith("-") else "ascending"
        return alt.EncodingSortField(field=field.sort.lstrip("-"), op="max", order=order)
    return field.sort or alt.Undefined


def _tooltips(widget: Widget, rows: pd.DataFrame) -> list[Any]:
    return [_tooltip(field, rows) for field in widget.tooltip or widget.fields]


def _tooltip(field: Channel, rows: pd.DataFrame) -> Any:
    alt = altair()
    form = field.format or {"quantitative": ",.0f", "temporal": "%b %Y"}.get(kind(rows, field), "")
    return alt.Tooltip(
        field=field.column,
        type=kind(rows, field),
        title=heading(field),
        format=form or alt.Undefined,
    )


def _shown_columns(rows: pd.DataFrame, widget: Widget) -> pd.DataFrame:
    """Only the columns that the chart shows leave Python."""
    names = [field.column for field in [*widget.fields, *widget.tooltip]] + ([widget.x2] if widget.x2 else [])
    sorts = [f.sort.lstrip("-") for f in widget.fields if isinstance(f.sort, str) and f.sort.lstrip("-") in rows]
    choice = ["choice"] if "choice" in rows else []  # of a board without a kernel, see dashboards.static_board
    return rows[list(dict.fromkeys(names + sorts + list(widget.highlight) + choice))]


def _height(widget: Widget, rows: pd.DataFrame, axes: Categories) -> int:
    """Room for the labels of a horizontal chart or of a heat map, and no more; 300 pixels for every other."""
    if widget.height:
        return widget.height
    if widget.mark == "number":
        return 64
    if widget.mark == "venn" and (sets := rows[widget.needed("x").column].nunique()) > 2:
        return upset.height(sets)
    names = len(axes.get(widget.y.column, ()) or rows[widget.y.column].unique()) if widget.y else 0
    if widget.mark in ("heatmap", "matrix"):
        return min(460 if widget.width == "full" else 330, 110 + 40 * names)
    if widget.y and (widget.mark == "funnel" or (kind(rows, widget.y) == "nominal" and widget.mark != "venn")):
        return max(120, min(HEIGHT, 64 + 34 * names), 64 + 16 * names)
    return HEIGHT
