"""What a dashboard file holds: a title, the columns to filter by, and its widgets."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from clv_helpers.charts import Scalar, Widget
from clv_helpers.charts.texts import fill_all
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, Problem, Strict
from clv_helpers.config.workbook import Workbook

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
    """The dashboards of a workbook, by name.

    Example:
        >>> "value" in dashboards.names(wb)
        True
    """
    return yaml_files.names(workbook, "dashboards")


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
    dashboard = _as_ranked(workbook, dashboard)
    labelled = [f.model_copy(update={"label": fill_all(workbook, f.label)}) for f in dashboard.filters]
    texts = {name: fill_all(workbook, getattr(dashboard, name)) for name in ("title", "description")}
    return dashboard.model_copy(update={**texts, "filters": labelled})


def _as_ranked(workbook: Workbook, dashboard: Dashboard) -> Dashboard:
    """Where the params name no category, without the filters and widgets that would show everyone alone."""
    if workbook.params.category:
        return dashboard
    filters = [f for f in dashboard.filters if f.column != CATEGORY]
    widgets = [w for w in dashboard.widgets if CATEGORY not in {field.column for field in w.fields}]
    return dashboard.model_copy(update={"filters": filters, "widgets": widgets})
