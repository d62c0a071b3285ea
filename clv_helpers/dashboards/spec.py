"""What a dashboard file holds: a title, the columns to filter by, and its widgets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial
from typing import Literal, get_args

from pydantic import Field, model_validator

from clv_helpers.charts import ChartError, Scalar, Widget
from clv_helpers.charts.declared import check_choices, check_declared
from clv_helpers.charts.rows import named
from clv_helpers.charts.texts import fill_all
from clv_helpers.charts.theme import filled
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, Problem, Strict
from clv_helpers.config.workbook import Workbook

ACQUISITION = "acquisition"  # the board of who has told channels
PRODUCTS = "products"  # the board that needs purchases which name products
CATEGORY = "category"  # the column of the model's tables in which customers are ranked apart
# Ranges of days, counted back from as_of, that a filter with `dates: true` offers.
Preset = Literal["all", "last month", "last 3 months", "last 6 months", "last 12 months", "this year", "last year"]


class BoardFilter(Strict):
    """A choice at the top of a board: a value of a column, or a range of days."""

    column: str
    """the column that is narrowed, in every widget that has it and does not spread it"""
    table: str = Field(pattern=r"^\w+\.\w+$")
    """the table whose values are offered, as `schema.table`"""
    label: str
    """what stands above the choice"""
    order_by: str | None = None
    """the column of the table by which the values are ordered; none: the values themselves"""
    default: Scalar | None = None
    """the value that the board begins with; none: all. With `dates`: `all`, `last month`, `last 3 months`, `last 6
    months`, `last 12 months`, `this year` or `last year`"""
    dates: bool = False
    """whether ranges of days are offered, counted back from `as_of`, in the place of values"""

    @model_validator(mode="after")
    def _default_is_a_range(self) -> BoardFilter:
        if self.dates and self.default not in (None, *get_args(Preset)):
            raise ValueError(f"default is {self.default!r}; allowed: {', '.join(get_args(Preset))}")
        return self


class Dashboard(Strict):
    """One dashboard file."""

    title: str
    """the board's heading"""
    description: str = ""
    """a text below the heading"""
    filters: list[BoardFilter] = []
    """the choices at the top"""
    widgets: list[Widget] = Field(min_length=1)
    """the charts, in this order"""


def names(workbook: Workbook) -> list[str]:
    """The dashboards of a workbook, by name; a built-in one of products only where purchases name them.

    Example:
        >>> "value" in dashboards.names(wb)
        True
    """
    params = workbook.params
    needed = {ACQUISITION: params.acquisition, PRODUCTS: params.has_products}
    own = [name for name in needed if yaml_files.file_of(workbook, "dashboards", name).exists()]
    found = yaml_files.names(workbook, "dashboards")
    return [name for name in found if needed.get(name, True) or name in own]


def load(workbook: Workbook, name: str) -> Dashboard:
    """Read a dashboard, its own texts in the words of the business (those of its widgets when they are drawn).

    Raises ParamsError, which names the widget, the key and what is allowed.

    Example:
        >>> dashboards.load(wb, "decile").title
        'Who is in a decile'
    """
    dashboard = yaml_files.load(workbook, "dashboards", name, Dashboard)
    boards, files = names(workbook), yaml_files.names(workbook, "dashboards", "sql")
    problems = [
        Problem(f"widgets[{index}].{key}", repr(value), ", ".join(allowed) or "there is none")
        for index, widget in enumerate(dashboard.widgets)
        for key, value, allowed in (("drill", widget.drill, boards), ("sql", widget.sql, files))
        if value is not None and value not in allowed
    ]
    if problems:
        raise ParamsError(yaml_files.shown(workbook, "dashboards", name), problems)
    dashboard = _in_rows(_as_ranked(workbook, dashboard))
    labelled = [f.model_copy(update={"label": fill_all(workbook, f.label)}) for f in dashboard.filters]
    texts = {name: fill_all(workbook, getattr(dashboard, name)) for name in ("title", "description")}
    return dashboard.model_copy(update={**texts, "filters": labelled})


def _as_ranked(workbook: Workbook, dashboard: Dashboard) -> Dashboard:
    """Without the filters and widgets by category, or by first product, where the params name none."""
    params = workbook.params
    lacking = {name for name, has in ((CATEGORY, params.category), ("first_product", params.has_products)) if not has}
    filters = [f for f in dashboard.filters if f.column not in lacking]
    widgets = [w for w in dashboard.widgets if not lacking & {field.column for field in w.fields}]
    return dashboard.model_copy(update={"filters": filters, "widgets": widgets})


def _in_rows(dashboard: Dashboard) -> Dashboard:
    """Without holes beside single halves: one that has no neighbour, perhaps since a widget was left out, is full."""
    widths = filled([widget.width for widget in dashboard.widgets])
    pairs = zip(dashboard.widgets, widths, strict=True)
    return dashboard.model_copy(update={"widgets": [w.model_copy(update={"width": width}) for w, width in pairs]})


def file_problems(workbook: Workbook, name: str, tables: dict[str, tuple[str, ...] | None]) -> list[Problem]:
    """What widgets and filters ask in vain of `tables` (see models.known_columns): tables or columns not there.

    So is what would show a person. Raises ParamsError where the file is no dashboard.
    """
    dashboard, file = load(workbook, name), yaml_files.shown(workbook, "dashboards", name)
    asked = [(f"widgets[{i}].table", w.table, named(w)) for i, w in enumerate(dashboard.widgets) if w.table]
    asked += [
        (f"filters[{i}].table", f.table, [f.column, f.order_by or f.column]) for i, f in enumerate(dashboard.filters)
    ]
    problems = []
    for place, table, columns in asked:
        if tables and table not in tables:
            problems.append(Problem(place, repr(table), _nearest(table, tables), file))
        known = tables.get(table) or columns  # where they are not known, nothing is said
        lacking = [name for name in dict.fromkeys(columns) if name not in known]
        said = f"{table}, which has no column"
        problems += [Problem(place, f"{said} {name!r}", _nearest(name, known), file) for name in lacking]
    return problems or _shows_people(workbook, dashboard, file)


def _shows_people(workbook: Workbook, dashboard: Dashboard, file: str) -> list[Problem]:
    """Those widgets and filters that would show a person, by where their columns come from."""
    problems = []
    judgements = [partial(check_declared, workbook, widget) for widget in dashboard.widgets]
    judgements += [
        partial(check_choices, workbook, f"filter {spec.label!r}", spec.table, spec.column)
        for spec in dashboard.filters
        if spec.table
    ]
    for judge in judgements:
        try:
            judge()
        except ChartError as error:
            problems.append(Problem("", str(error), "", file))
    return problems


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else ", ".join(known)
