"""What a dashboard file holds: a title, the columns to filter by, and its widgets."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from clv_helpers import specs
from clv_helpers.charts import Widget, draw
from clv_helpers.show import Shown
from clv_helpers.validation import Strict
from clv_helpers.workbook import Workbook


class BoardFilter(Strict):
    """A choice at the top of a live board: a column, and the table whose values are offered."""

    column: str
    table: str = Field(pattern=r"^\w+\.\w+$")
    label: str
    order_by: str | None = None
    default: str | int | float | None = None


class Dashboard(Strict):
    """One dashboard file."""

    title: str
    filters: list[BoardFilter] = []
    widgets: list[Widget] = Field(min_length=1)


def names(workbook: Workbook) -> list[str]:
    """The dashboards of a workbook."""
    return specs.names(workbook, "dashboards")


def load(workbook: Workbook, name: str) -> Dashboard:
    """Read a dashboard. Raises ParamsError, which names the widget, the key and what is allowed."""
    return specs.load(workbook, "dashboards", name, Dashboard)


def show(workbook: Workbook, name: str, filters: dict[str, Any] | None = None) -> list[Shown]:
    """All charts of a dashboard, in its order."""
    return [draw(workbook, widget, filters) for widget in load(workbook, name).widgets]
