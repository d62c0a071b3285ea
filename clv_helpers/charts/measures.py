"""The numbers of a widget's rows as they may be shown: each rounded by how many people it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv_helpers.charts.disclosure import COUNTS, RATES, SHARES, fewer
from clv_helpers.charts.rounding import rounded
from clv_helpers.charts.rows import population
from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import are_places, kind
from clv_helpers.config.workbook import Workbook
from clv_helpers.models.personal import people_of

if TYPE_CHECKING:
    import pandas as pd

# Columns that count people or their messages: to the nearest five, whatever the row's population.
PEOPLE = (*COUNTS, "accepted", "numerator", "denominator", "messages")
POSITIONS = ("_order", "_months")  # a column that ends so says where a row stands, if it holds small whole numbers
PLACES = 120  # of them the most: ten years of months
YEARS = 2_100  # of what stands out, too


def with_rounded(rows: pd.DataFrame, widget: Widget, workbook: Workbook) -> pd.DataFrame:
    """The rows with every measure rounded; keys, places in an order, texts and days stay.

    Rows without a population, which are about nobody, stay as they are.
    """
    import pandas as pd

    people, min_cell = population(widget, list(rows.columns)), workbook.params.min_cell
    if people not in rows or rows.empty:
        return rows
    keys = _keys(rows, widget, workbook)
    counts = {
        people,
        *PEOPLE,
        *(
            [widget.x2, *(f.column for f in (widget.x, widget.y) if f)]
            if widget.x2 and widget.mark != "dumbbell"
            else []
        ),
    }
    known = rows.copy()
    for name in rows:
        values = rows[name]
        if name in keys or pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
            continue
        about = values.abs() if name in counts else known[people]
        if name in RATES and set(RATES[name]) <= set(rows):
            part, whole = (known[column] for column in RATES[name])
            few = pd.concat([part, whole - part], axis="columns").min(axis="columns")
            about = few.where(few > 0, whole)
        if name in SHARES:
            few = fewer(values, known[people])
            about = few.where(few.round() > 0, known[people])
        rows = rows.assign(**{str(name): rounded(values, about, min_cell)})
    return rows


def _keys(rows: pd.DataFrame, widget: Widget, workbook: Workbook) -> set[str]:
    """The columns that say which row it is, or where it stands: by what they hold, as a sum can be called anything."""
    import pandas as pd

    fields = [*widget.fields, *widget.tooltip]
    shown = {f.column for f in fields if not f.aggregate and kind(rows, f) != "quantitative"}
    numbers = {str(name) for name in rows if pd.api.types.is_numeric_dtype(rows[name])}
    places = {name for name in numbers if name.endswith(POSITIONS) and are_places(rows[name], PLACES)}
    stand_out = {name for name in widget.highlight if name not in numbers or are_places(rows[name], YEARS)}
    return {*people_of(workbook).key(widget.table or ""), *shown, *places, *stand_out}
