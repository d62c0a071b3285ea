"""The words of a chart: titles that state what the rows say, units, headers."""

from __future__ import annotations

import datetime as dt
import numbers
import re
from decimal import Decimal
from string import Formatter
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.show import MISSING, compact, percent, upper_first
from clv_helpers.charts.spec import AXES, ENDS, Channel, ChartError, Widget
from clv_helpers.config.settings import Words
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

NO_DATA = "No data for this choice"
DECILES = 10
RANKED = ("insights", "audiences")  # schemas whose column `value` is what deciles rank
# Columns named after the model's words; `value` is not among them, as a predicted value is not what deciles rank.
SPOKEN = ("customer", "customers", "purchase", "purchases", "category")


def names_in_braces(workbook: Workbook) -> dict[str, str]:
    """What stands for a name in braces in any text: {unit}, {currency}, {words.customers} and the other words."""
    words = {f"words.{name}": word for name, word in workbook.words.model_dump().items()}
    return {"unit": workbook.params.value.unit, "currency": workbook.params.spending.unit, **words}


def fill(text: str, names: dict[str, str]) -> str:
    """A text whose names in braces are replaced; those that are not known stay."""
    return re.sub(r"\{([\w.]+)\}", lambda match: names.get(match[1], match[0]), text)


def fill_all(workbook: Workbook, text: str) -> str:
    """A text of a board that has no rows of its own: its title, description or the label of a filter."""
    return upper_first(fill(text, names_in_braces(workbook)))


def with_words(widget: Widget, workbook: Workbook) -> Widget:
    """The widget as this business speaks: names in braces replaced, and columns named after words headed with them."""
    names = names_in_braces(workbook)

    is_ranked = (widget.table or "").partition(".")[0] in RANKED

    def spoken(field: Channel, in_a_tooltip: bool = False) -> Channel:
        given = None if in_a_tooltip and not field.title else field.title
        if given is None and is_ranked and field.column == "value":
            given = workbook.words.value
        title = header(field.column, workbook.words) if given is None else upper_first(fill(given, names))
        return field.model_copy(update={"title": title})

    return widget.model_copy(update={
        **{name: spoken(field) for name in AXES if (field := getattr(widget, name))},
        **{name: fill(getattr(widget, name), names) for name in ("title", "otherwise", "subtitle")},
        "columns": [spoken(field) for field in widget.columns],
        "tooltip": [spoken(field, in_a_tooltip=True) for field in widget.tooltip or widget.fields],
    })  # fmt: skip


def texts(widget: Widget, rows: pd.DataFrame, is_whole: bool = True) -> tuple[str, str]:
    """Title and subtitle, with the values of the row that `title_from` names.

    Where groups were left out (not `is_whole`), none is said to stand above the others.
    """
    chosen = _row_of_title(widget, rows)
    if chosen.empty:
        is_named = len(rows) and isinstance(widget.title_from, dict)
        about = upper_first(_plain(widget.subtitle))
        return (about, "") if is_named and about else (NO_DATA, about)
    values = {str(name): in_words(str(name), value) for name, value in chosen.iloc[0].items()}
    title = widget.title
    if widget.interval:
        measure = _measure(widget, rows)
        values |= dict(
            zip(ENDS, (in_words(measure, end) for end in (rows[measure].min(), rows[measure].max())), strict=True)
        )
        title = title if is_whole and _stands_out(widget, rows, chosen) else widget.otherwise
    try:
        if any(values.get(name) == MISSING for _, name, _, _ in Formatter().parse(title) if name):
            return upper_first(_plain(widget.subtitle)) or NO_DATA, ""  # nothing is known of what it would say
        return upper_first(title.format(**values)), upper_first(widget.subtitle.format(**values))
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
    elif widget.title_from == "top" and (measure := _measure(widget, rows)):
        rows = rows.nlargest(1, measure)
    return rows.head(1) if widget.title_from in ("first", "top") else rows.tail(1)


def _measure(widget: Widget, rows: pd.DataFrame) -> str:
    """The number that the marks show; empty where there is none."""
    measures = (field.column for field in reversed(widget.fields) if kind(rows, field) == "quantitative")
    return next(measures, "")


def _stands_out(widget: Widget, rows: pd.DataFrame, chosen: pd.DataFrame) -> bool:
    """Whether the interval of the title's row leaves out the others: each of theirs, where it was chosen as the top."""
    low, high = widget.interval
    others, row = rows.drop(index=chosen.index).dropna(subset=widget.interval), chosen.iloc[0]
    if others.empty:
        return False
    if widget.title_from == "top":
        return bool(row[low] > others[high].max())
    measure, people = _measure(widget, rows), widget.people
    weights = others[people].astype(float) if people in others else 1 + 0 * others[measure].astype(float)
    together = float((others[measure].astype(float) * weights).sum() / weights.sum()) if weights.sum() else float("nan")
    return bool(together < row[low] or together > row[high])


def plain_title(widget: Widget) -> str:
    """What a widget without rows is called: its title or subtitle, where they name no column; else its data."""
    return upper_first(_plain(widget.title) or _plain(widget.subtitle)) or header(widget.source.partition(".")[2])


def _plain(text: str) -> str:
    return "" if "{" in text else text


def in_words(name: str, value: Any) -> str:
    """A value as a title says it: a share in per cent, a month by its name."""
    if value is None or value != value:
        return MISSING
    if isinstance(value, dt.date):
        return f"{value:%B %Y}" if value.day == 1 else day_in_words(value)
    if isinstance(value, numbers.Real | Decimal):
        return percent(float(value)) if "share" in name or "rate" in name else compact(float(value))
    return str(value)


def day_in_words(day: dt.date) -> str:
    """A day as people read it: 5 March 2026."""
    return f"{day.day} {day:%B %Y}"


def kind(rows: pd.DataFrame, field: Channel) -> str:
    """Deciles and small bands are ordinal, dates temporal, other numbers quantitative, texts nominal."""
    import pandas as pd

    values = rows[field.column]
    if pd.api.types.is_datetime64_any_dtype(values):
        return "temporal"
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return "ordinal" if field.column.startswith("decile") and are_places(values, DECILES) else "quantitative"
    return "nominal"


def are_places(values: pd.Series, most: int) -> bool:
    """Whether numbers can say where a row stands, whatever their column is called: whole ones, and small."""
    known = values.dropna().astype(float)
    return bool((known % 1 == 0).all() and known.abs().le(most).all())


def groups(widget: Widget, rows: pd.DataFrame) -> list[str]:
    """The shown columns that distinguish groups; by them a click picks."""
    return [field.column for field in widget.fields if kind(rows, field) in ("nominal", "ordinal")]


def title_of(field: Channel) -> str:
    """What an axis, a legend or a column of a table is headed with."""
    return header(field.column) if field.title is None else upper_first(field.title)


def heading(field: Channel) -> str:
    """What a value is called where it must be called something."""
    return title_of(field) or header(field.column)


def header(name: str, words: Words | None = None) -> str:
    """A column's name as a heading, in the words of the business where they are given."""
    parts = [getattr(words, part) if words and part in SPOKEN else part for part in name.split("_")]
    return upper_first(" ".join(parts))
