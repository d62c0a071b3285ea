"""The words of a chart: titles that state what the rows say, units, headers."""

from __future__ import annotations

import json
import numbers
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.errors import ChartError
from clv_helpers.charts.show import MISSING, compact, percent, upper_first
from clv_helpers.charts.spec import Channel, Widget
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

NO_DATA = "No data for this choice"


def with_units(widget: Widget, workbook: Workbook) -> Widget:
    """{unit} and {currency} in any text become the workbook's own."""
    text = widget.model_dump_json(by_alias=True, exclude_defaults=True)
    if "{unit}" not in text and "{currency}" not in text:
        return widget
    for name, unit in (("{unit}", workbook.params.value.unit), ("{currency}", workbook.params.spending.unit)):
        text = text.replace(name, json.dumps(unit)[1:-1])
    return Widget.model_validate_json(text)


def texts(widget: Widget, rows: pd.DataFrame) -> tuple[str, str]:
    """Title and subtitle, with the values of the row that `title_from` names."""
    chosen = _row_of_title(widget, rows)
    if len(rows) and chosen.empty and not isinstance(widget.title_from, str):
        return upper_first(_plain(widget.subtitle)) or NO_DATA, ""
    if chosen.empty:
        return NO_DATA, ""
    values = {name: in_words(name, value) for name, value in chosen.iloc[0].items()}
    try:
        return upper_first(widget.title.format(**values)), upper_first(widget.subtitle.format(**values))
    except KeyError as error:
        raise ChartError(f"widget {widget.title!r}: its title names {error.args[0]!r}, which its rows lack") from None
    except (ValueError, IndexError):
        raise ChartError(f"widget {widget.title!r}: braces in its title need a column between them") from None


def _row_of_title(widget: Widget, rows: pd.DataFrame) -> pd.DataFrame:
    if isinstance(widget.title_from, dict):
        for name, value in widget.title_from.items():
            if name not in rows:
                raise ChartError(f"widget {widget.title!r}: title_from names {name!r}, which its rows lack")
            rows = rows[rows[name] == value]
    elif widget.title_from == "top":
        measures = [f.column for f in reversed(widget.fields) if kind(rows, f) == "quantitative"]
        rows = rows.nlargest(1, measures[0]) if measures else rows
    return rows.head(1) if widget.title_from in ("first", "top") else rows.tail(1)


def plain_title(widget: Widget) -> str:
    """What a widget without rows is called: its title or subtitle, where they name no column; else its data."""
    return upper_first(_plain(widget.title) or _plain(widget.subtitle)) or header(widget.source.partition(".")[2])


def _plain(text: str) -> str:
    return "" if "{" in text else text


def in_words(name: str, value: Any) -> str:
    """A value as a title says it: a share in per cent, a month by its name."""
    if value is None or value != value:
        return MISSING
    if hasattr(value, "strftime"):
        return f"{value:%B %Y}" if value.day == 1 else f"{value.day} {value:%B %Y}"
    if isinstance(value, numbers.Number):
        return percent(value) if "share" in name or "rate" in name else compact(value)
    return str(value)


def kind(rows: pd.DataFrame, field: Channel) -> str:
    """Deciles and small bands are ordinal, dates temporal, other numbers quantitative, texts nominal."""
    import pandas as pd

    values = rows[field.column]
    if pd.api.types.is_datetime64_any_dtype(values):
        return "temporal"
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return "ordinal" if field.column.startswith("decile") else "quantitative"
    return "nominal"


def title_of(field: Channel) -> str:
    """What an axis, a legend or a column of a table is headed with."""
    return header(field.column) if field.title is None else upper_first(field.title)


def header(name: str) -> str:
    """A column's name as a heading."""
    return upper_first(name.replace("_", " "))
