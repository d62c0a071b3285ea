"""What a widget shows over all choices of the filters that it follows, and which of its cells are left out in each.

A choice of a board is one slice of this cube, and who reads a report has them all: a group that is hidden in its own
slice must not be the difference between two others.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.charts.disclosure import TOTAL, Cell, complete, counted, overlap, too_small
from clv_helpers.charts.rows import narrowing, population, select, source_of
from clv_helpers.charts.spec import Channel, ChartError, Widget
from clv_helpers.charts.texts import kind
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, table
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS = 200_000
# Their values lie within each other (12 months hold the last 3), or are about the same people, and add up to nothing.
NESTED = ("lookback", "lookback_months", "kpi", "series", "measure")
# Numbers that say when: one person can be in several of them, as in several months or campaigns.
TIMES = ("lookback_months", "year", "quarter", "month", "week", "day")
AT_MOST = "people_at_most"
SUMS = ("value", "spend", "purchases")  # of the model's tables


@dataclass(frozen=True)
class Cube:
    """The columns that tell its cells apart, and the cells that are left out."""

    axes: tuple[str, ...] = ()
    hidden: frozenset[Cell] = frozenset()

    def hides(self, rows: pd.DataFrame, chosen: dict[str, Any]) -> pd.Series:
        """Which rows of one choice are left out; a column that is neither theirs nor chosen is summed over.

        Of several values together none may be left out by itself: their sum, less the others', would tell it.
        """
        import pandas as pd

        hides = pd.Series(False, index=rows.index)
        if not self.hidden:
            return hides
        lacking = [axis for axis in self.axes if axis not in rows]
        for values in itertools.product(*(_chosen(chosen.get(axis)) for axis in lacking)):
            cells = _cells(rows.assign(**dict(zip(lacking, values, strict=True))), list(self.axes))
            hides |= pd.Series([cell in self.hidden for cell in cells], index=rows.index, dtype=bool)
        return hides


_cubes: weakref.WeakKeyDictionary[Session, dict[Any, Cube]] = weakref.WeakKeyDictionary()


def cube_of(session: Session, workbook: Workbook, widget: Widget, across: Iterable[str]) -> Cube:
    """The cube of a widget over the columns `across` that it follows. A session reads one version, so it is kept.

    Raises ChartError for more than 200,000 cells. Cost: one query, and nothing more where no cell is small.
    """
    if workbook.params.min_cell == 1:
        return Cube()  # no group is small
    key = (workbook.file, widget.model_dump_json(), tuple(across))
    known = _cubes.setdefault(session, {})
    if key not in known:
        known[key] = _made(session, workbook, widget, list(across))
    return known[key]


def _made(session: Session, workbook: Workbook, widget: Widget, across: list[str]) -> Cube:
    spread = {field.column for field in widget.fields}
    columns = session.columns(source_of(session, workbook, widget).copy())
    followed = [name for name in dict.fromkeys(across) if name in columns and name not in spread]
    more = [*widget.columns, *(Channel(column=name) for name in followed)]
    wide = widget.model_copy(update={"columns": more, "filters": {}, "sort": []})
    rows = session.frame(select(session, workbook, wide, {}).limit(MOST_CELLS + 1))
    if len(rows) > MOST_CELLS:
        raise ChartError(
            f"widget {widget.title!r}: {widget.source} gives more than {MOST_CELLS:,} rows over all choices of the "
            f"filters {', '.join(followed)}; aggregate it in SQL first"
        )
    rows, wide = with_people(session, workbook, wide, {}, rows)
    return judged(rows, widget.model_copy(update={"people": wide.people}), workbook.params.min_cell, followed)


def with_people(
    session: Session, workbook: Workbook, widget: Widget, filters: dict[str, Any], rows: pd.DataFrame
) -> tuple[pd.DataFrame, Widget]:
    """The rows of a query, and the widget, with the column of how many people there are in a row at the least.

    Where rows are summed in each of which the same person may be (months, campaigns), these are as many as in the
    largest of them, not their sum.
    """
    if not any(field.aggregate for field in widget.fields):
        return rows, widget
    columns = session.columns(source_of(session, workbook, widget).copy())
    people = population(widget, list(columns))
    fixed = {**widget.filters, **narrowing(widget, filters, list(columns))}
    kept = {f.column for f in widget.fields if not f.aggregate} | set(widget.highlight)
    kept |= {name for name, value in fixed.items() if not isinstance(value, list | tuple)}
    summed = {name: type_ for name, type_ in columns.items() if name not in kept}
    extremes = [field.column for field in widget.fields if field.aggregate in ("min", "max")]
    if people not in columns or not (extremes or _repeats(session, summed)):
        return rows, widget
    together = exp.Max if _repeats(session, summed) else exp.Sum
    most = exp.func("coalesce", together(this=column(people)), exp.Literal.number(0))
    for name in extremes:  # that of one row is about the people of that row: of the fewest, unless all are alike
        alike = exp.EQ(this=exp.Min(this=column(name)), expression=exp.Max(this=column(name)))
        most = exp.Case(ifs=[exp.If(this=alike, true=most)], default=exp.Min(this=column(people)))
    query = select(session, workbook, widget, filters).select(most.as_(AT_MOST, quoted=True))
    at_most = session.frame(query.limit(max(len(rows), 1)))[AT_MOST]
    return rows.assign(**{AT_MOST: at_most.astype(float)}), widget.model_copy(update={"people": AT_MOST})


def _repeats(session: Session, summed: dict[str, str]) -> bool:
    """Whether one person may be in several rows that differ in these columns: all but what is known of a person."""
    bands = "insights.dim_customer_band"
    parts = session.columns(table(bands)) if session.has_table(bands) else {}
    named = {name for name, type_ in summed.items() if type_ == "VARCHAR" or type_.startswith(("DATE", "TIMESTAMP"))}
    return bool({name for name in named if name not in parts} | {name for name in TIMES if name in summed})


def judged(rows: pd.DataFrame, widget: Widget, min_cell: int, followed: Collection[str] = ()) -> Cube:
    """The cube of these rows, told apart by what the widget shows of them and by the columns `followed`."""
    people = population(widget, list(rows.columns))
    if people not in rows or not too_small(rows, widget, min_cell).any() or overlap(rows, widget):
        return Cube()
    if any(field.aggregate for field in widget.fields):
        rows = _with_totals(rows, widget, followed)
    small = too_small(rows, widget, min_cell)
    axes = _axes(rows, widget, followed)
    if not axes:
        return Cube()
    cells = _cells(rows, axes)
    values = dict(zip(cells, rows[people].fillna(0).astype(float), strict=True))
    if len(values) < len(cells):  # nothing distinguishes the rows: only the small ones can be judged
        return Cube()
    open_axes = [i for i, axis in enumerate(axes) if axis not in NESTED]
    by_size = [
        i for i, axis in enumerate(axes) if (rows[axis] == NO_CATEGORY).any() or _names(rows[axis], axis in followed)
    ]
    sums = [f.column for f in widget.fields if f.aggregate == "sum"] or [name for name in SUMS if name in rows]
    numbers = rows[sums].fillna(0).astype(float).itertuples(index=False, name=None)
    measures = dict(zip(cells, numbers, strict=True)) if sums else {}
    few = {cell for cell, is_small in zip(cells, small, strict=True) if is_small}
    return Cube(tuple(axes), frozenset(complete(few, values, min_cell, open_axes, by_size, measures)))


def _axes(rows: pd.DataFrame, widget: Widget, followed: Collection[str]) -> list[str]:
    """What tells the rows apart: what is shown, and followed; else all that is no number, shown or not."""
    shown = [f.column for f in widget.fields if not f.aggregate and kind(rows, f) != "quantitative"]
    axes = list(dict.fromkeys([*shown, *followed]))
    if axes and not rows.duplicated(axes).any():
        return axes
    others = [name for name in map(str, rows) if kind(rows, Channel(column=name)) != "quantitative"]
    return list(dict.fromkeys([*axes, *others]))


def _names(values: pd.Series, is_followed: bool) -> bool:
    """Whether a filter's values are names, as of statuses; deciles are numbers."""
    return is_followed and not any(isinstance(value, int | float) for value in values.astype(object))


def _with_totals(rows: pd.DataFrame, widget: Widget, followed: Collection[str]) -> pd.DataFrame:
    """The rows, and for each column that is followed those of all its values together."""
    import pandas as pd

    sums = list(dict.fromkeys([*counted(rows, widget), *(f.column for f in widget.fields if f.aggregate == "sum")]))
    keys = [name for name in rows if name in followed or name in {f.column for f in widget.fields if not f.aggregate}]
    keys = [name for name in keys if name not in sums]
    rows = rows[keys + sums].astype(dict.fromkeys(keys, object))
    for name in followed:
        together = rows.assign(**{name: TOTAL}).groupby(keys, dropna=False, sort=False)[sums].sum().reset_index()
        rows = pd.concat([rows, together], ignore_index=True)
    return rows.infer_objects()


def _cells(rows: pd.DataFrame, axes: list[str]) -> list[Cell]:
    """The place of each row in the cube; what is missing is None."""
    places = rows[axes].astype(object)
    return list(places.where(places.notna(), None).itertuples(index=False, name=None))


def _chosen(value: Any) -> list[Any]:
    """The values that are chosen; a range of days is a sum, as all are."""
    if isinstance(value, list):
        return value
    return [TOTAL if value is None or isinstance(value, tuple) else value]
