"""From a widget's description and rows that SQL has already aggregated to an altair chart."""

from __future__ import annotations

import functools
import json
import numbers
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator
from sqlglot import exp

from clv_helpers.engines.dialect import column, is_in, table
from clv_helpers.errors import UserError
from clv_helpers.show import Shown, compact, percent
from clv_helpers.validation import Strict
from clv_helpers.workbook import Workbook

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

# JupyterLab's own Vega renderer answers to this type without the network; report.py reads the same one.
CHART_MIME = "application/vnd.vegalite.v5+json"
MAX_ROWS = 2_000
# Okabe & Ito's palette, which the colour-blind can tell apart; blue leads, grey stands back.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#595959"]
QUIET = "#A9C4D6"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
CONFIG = {
    "font": FONT,
    "view": {"stroke": None},
    "title": {"anchor": "start", "fontSize": 15, "subtitleFontSize": 12, "subtitleColor": "#595959", "offset": 12},
    "axis": {
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titleColor": "#404040",
        "labelColor": "#404040", "gridColor": "#E6E6E6", "domain": False, "ticks": False, "labelPadding": 6,
    },
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "orient": "top"},
    "range": {"category": PALETTE, "heatmap": {"scheme": "blues"}, "ramp": {"scheme": "blues"}},
}  # fmt: skip

Scalar = str | int | float | bool


class Channel(Strict):
    """What stands on an axis or in the colour: a column, its title with the unit, its number format."""

    column: str
    title: str | None = None
    format: str | None = None
    sort: str | list[Scalar] | None = None
    aggregate: Literal["sum", "avg", "min", "max"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class Widget(Strict):
    """One chart of a dashboard. `title` may name columns in braces: `title_from` tells from which row."""

    title: str = Field(min_length=1)
    title_from: dict[str, Scalar] | Literal["first", "last", "top"] = "first"
    subtitle: str = ""
    table: str = Field(pattern=r"^\w+\.\w+$")
    filters: dict[str, Scalar | list[Scalar]] = {}
    mark: Literal["bar", "line", "area", "point", "heatmap"]
    x: Channel
    x2: str | None = None  # where a bar begins, in the place of 0
    y: Channel
    color: Channel | None = None
    tooltip: list[Channel] = []  # none: what is on the axes and in the colour
    highlight: dict[str, Scalar] = {}
    width: Literal["half", "full"] = "half"

    @property
    def fields(self) -> list[Channel]:
        return [field for field in (self.x, self.y, self.color) if field]


class ChartError(UserError):
    """A chart that cannot be drawn as described."""


def draw(workbook: Workbook, widget: Widget, filters: dict[str, Any] | None = None) -> Shown:
    """The widget as a chart of the published tables, narrowed by `filters` (column → value or values).

    Raises ChartError for a column that the table lacks, or for more than 2,000 rows.
    """
    widget = _with_units(widget, workbook)
    rows = read_rows(workbook, widget, filters or {})
    texts = _texts(widget, rows)
    chart = _mark(widget, rows).properties(
        title={"text": texts["title"], **({"subtitle": texts["subtitle"]} if texts["subtitle"] else {})},
        width=420 if widget.width == "half" else 900,
        height=_height(widget, rows),
    )
    spec = chart.to_dict()
    del spec["$schema"]  # each reader draws with its own release; JupyterLab would warn of a newer one
    spec["config"] = CONFIG
    spec["description"] = f"{texts['title']}. {texts['subtitle']}".strip()
    spec["usermeta"] = {"width": widget.width}
    return Shown({CHART_MIME: spec, "text/plain": texts["title"]})


def read_rows(workbook: Workbook, widget: Widget, filters: dict[str, Any]) -> pd.DataFrame:
    """The widget's rows: its table, filtered, and grouped where an axis asks for an aggregate."""
    with workbook.engine.read() as session:
        if not session.has_table(widget.table):
            raise ChartError(f"widget {widget.title!r}: there is no table {widget.table}")
        known = session.columns(table(widget.table))
        named = [field.column for field in [*widget.fields, *widget.tooltip]]
        named += [*widget.filters, *widget.highlight, *([widget.x2] if widget.x2 else [])]
        for name in named:
            if name not in known:
                raise ChartError(
                    f"widget {widget.title!r}: {widget.table} has no column {name}; it has {', '.join(known)}"
                )
        # A chart that spreads a column over an axis shows all of its values, whatever the board's filter.
        spread = [field.column for field in widget.fields]
        narrowed = {name: value for name, value in filters.items() if name in known and name not in spread}
        where = {**widget.filters, **narrowed}
        rows = session.frame(_select(widget, where, list(known)).limit(MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        raise ChartError(
            f"widget {widget.title!r}: {widget.table} gives more than {MAX_ROWS:,} rows; aggregate it in SQL first"
        )
    return rows


def _select(widget: Widget, where: dict[str, Any], known: list[str]) -> exp.Select:
    aggregated = {field.column: field.aggregate for field in widget.fields if field.aggregate}
    if aggregated:
        keys = list(dict.fromkeys([f.column for f in widget.fields if not f.aggregate] + list(widget.highlight)))
        sums = [
            exp.cast(exp.func(aggregate, column(name)), "DOUBLE").as_(name, quoted=True)
            for name, aggregate in aggregated.items()
        ]
        query = exp.select(*map(column, keys), *sums).group_by(*map(column, keys))
    else:
        query = exp.select(*map(column, known))
    for name, value in where.items():
        query = query.where(is_in(column(name), value if isinstance(value, list) else [value]))
    # Charts of one state of the lake are the same to the byte, so the rows need an order.
    order = [column(f.column) for f in widget.fields if not f.aggregate]
    return query.from_(table(widget.table)).order_by(*order)


def _with_units(widget: Widget, workbook: Workbook) -> Widget:
    """{unit} and {currency} in any text become the workbook's own."""
    text = widget.model_dump_json(by_alias=True)
    for name, unit in (("{unit}", workbook.params.value.unit), ("{currency}", workbook.params.spending.unit)):
        text = text.replace(name, json.dumps(unit)[1:-1])
    return Widget.model_validate_json(text)


def _texts(widget: Widget, rows: pd.DataFrame) -> dict[str, str]:
    chosen = rows
    if isinstance(widget.title_from, dict):
        for name, value in widget.title_from.items():
            if name not in rows:
                raise ChartError(f"widget {widget.title!r}: title_from names {name!r}, which its rows lack")
            chosen = chosen[chosen[name] == value]
    elif widget.title_from == "last":
        chosen = rows.tail(1)
    elif widget.title_from == "top":
        measure = next(f.column for f in reversed(widget.fields) if _kind(rows, f) == "quantitative")
        chosen = rows.nlargest(1, measure)
    values = {name: _in_words(name, value) for name, value in chosen.iloc[0].items()} if len(chosen) else {}
    try:
        title = widget.title.format(**values) if len(chosen) else "No data for this choice"
        return {"title": title, "subtitle": _upper_first(widget.subtitle.format(**values))}
    except KeyError as error:
        raise ChartError(f"widget {widget.title!r}: its title names {error.args[0]!r}, which its rows lack") from None


def _in_words(name: str, value: Any) -> str:
    if hasattr(value, "strftime"):
        return f"{value:%B %Y}"
    if isinstance(value, numbers.Number):
        return percent(value) if "share" in name or "rate" in name else compact(value)
    return str(value)


def _mark(widget: Widget, rows: pd.DataFrame) -> alt.Chart:
    alt = _altair()
    chart = alt.Chart(_vega_rows(rows, widget))
    x, y = _encode(alt.X, widget.x, rows), _encode(alt.Y, widget.y, rows)
    tooltip = [_tooltip(field, rows) for field in widget.tooltip or widget.fields]
    color = _color(widget, rows)
    match widget.mark:
        case "bar":
            marked = chart.mark_bar(cornerRadiusEnd=2)
        case "line":
            marked = chart.mark_line(strokeWidth=2.5, point={"size": 30})
        case "area":
            marked = chart.mark_area(line={"strokeWidth": 2.5}, fillOpacity=0.25)
        case "point":
            marked = chart.mark_point(filled=True, size=80)
        case "heatmap":
            marked = chart.mark_rect(stroke="white", strokeWidth=2)
    more = {"color": color} if color is not None else {}
    if widget.x2:
        more["x2"] = alt.X2(field=widget.x2)
    return marked.encode(x=x, y=y, tooltip=tooltip, **more)


@functools.cache
def _altair() -> ModuleType:
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


def _color(widget: Widget, rows: pd.DataFrame) -> Any:
    alt = _altair()
    if widget.highlight:
        tests = [f"datum[{name!r}] === {value!r}" for name, value in widget.highlight.items()]
        return alt.condition(" && ".join(tests), alt.value(PALETTE[0]), alt.value(QUIET))
    if widget.color is None:
        return alt.value(PALETTE[0])
    kind = _kind(rows, widget.color)
    scale = alt.Scale(scheme="blues") if kind == "quantitative" else alt.Undefined
    return alt.Color(
        field=widget.color.column,
        type=kind,
        title=_title(widget.color),
        legend=alt.Legend(format=widget.color.format) if widget.color.format else alt.Undefined,
        sort=_sort(widget.color, rows),
        scale=scale,
    )


def _encode(channel: Any, field: Channel, rows: pd.DataFrame) -> Any:
    alt = _altair()
    kind = _kind(rows, field)
    axis: dict[str, Any] = {"title": _title(field), "labelLimit": 240, "grid": kind == "quantitative"}
    if field.format:
        axis["format"] = field.format
    if kind == "quantitative":
        axis["tickCount"] = 6
    if channel is alt.X and kind == "nominal":  # long names stand on several lines rather than on each other
        axis |= {"labelAngle": 0, "labelExpr": "split(datum.label, ' ')"}
    if channel is alt.X and kind == "ordinal":
        axis["labelAngle"] = 0
    return channel(field=field.column, type=kind, axis=alt.Axis(**axis), sort=_sort(field, rows))


def _sort(field: Channel, rows: pd.DataFrame) -> Any:
    """A list of values, or the name of a column to sort by, with a minus for descending."""
    alt = _altair()
    if isinstance(field.sort, str):
        order = "descending" if field.sort.startswith("-") else "ascending"
        return alt.EncodingSortField(field=field.sort.lstrip("-"), op="max", order=order)
    return field.sort or alt.Undefined


def _tooltip(field: Channel, rows: pd.DataFrame) -> Any:
    alt = _altair()
    form = field.format or {"quantitative": ",.0f", "temporal": "%b %Y"}.get(_kind(rows, field), "")
    return alt.Tooltip(
        field=field.column,
        type=_kind(rows, field),
        title=_title(field) or _header(field.column),
        format=form or alt.Undefined,
    )


def _kind(rows: pd.DataFrame, field: Channel) -> str:
    """Deciles and small bands are ordinal, dates temporal, other numbers quantitative, texts nominal."""
    import pandas as pd

    values = rows[field.column]
    if pd.api.types.is_datetime64_any_dtype(values):
        return "temporal"
    if pd.api.types.is_numeric_dtype(values):
        return "ordinal" if field.column.startswith("decile") else "quantitative"
    return "nominal"


def _vega_rows(rows: pd.DataFrame, widget: Widget) -> pd.DataFrame:
    """Only the columns that the chart shows leave Python."""
    names = [field.column for field in [*widget.fields, *widget.tooltip]] + ([widget.x2] if widget.x2 else [])
    sorts = [f.sort.lstrip("-") for f in widget.fields if isinstance(f.sort, str) and f.sort.lstrip("-") in rows]
    return rows[list(dict.fromkeys(names + sorts + list(widget.highlight)))]


def _title(field: Channel) -> str:
    return _header(field.column) if field.title is None else _upper_first(field.title)


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _height(widget: Widget, rows: pd.DataFrame) -> int:
    """Room for the labels of a horizontal chart, and no more; 300 pixels for every other."""
    if _kind(rows, widget.y) != "nominal":
        return 300
    if widget.mark == "heatmap":
        return 330
    return min(300, 64 + 34 * rows[widget.y.column].nunique())


def _header(name: str) -> str:
    return name.replace("_", " ").capitalize()
