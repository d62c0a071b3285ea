"""A dashboard's widgets drawn, all on one connection."""

from __future__ import annotations

from typing import Any

from clv_helpers.charts import Picture, draw, picture
from clv_helpers.dashboards.spec import Dashboard, load
from clv_helpers.show import Shown
from clv_helpers.workbook import Workbook


def pictures(workbook: Workbook, dashboard: Dashboard, filters: dict[str, Any]) -> list[Picture]:
    """All widgets of a dashboard, in its order."""
    with workbook.engine.read() as session:
        return [picture(session, workbook, widget, filters) for widget in dashboard.widgets]


def show(workbook: Workbook, name: str, filters: dict[str, Any] | None = None) -> list[Shown]:
    """All charts of a dashboard, to display."""
    return [draw(workbook, widget, filters) for widget in load(workbook, name).widgets]
