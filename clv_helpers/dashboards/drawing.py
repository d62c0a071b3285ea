"""A dashboard's widgets drawn, all on one connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv_helpers.charts import NotMade, Picture, Widget, draw, picture, sql_of
from clv_helpers.charts.show import Output, note, stack
from clv_helpers.charts.texts import plain_title, with_words
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import Dashboard, load
from clv_helpers.errors import UserError


@dataclass(frozen=True)
class Drawn:
    """A widget drawn, and the query behind it."""

    picture: Picture
    sql: str


@dataclass(frozen=True)
class Failed:
    """A widget that cannot be drawn, and why; the others stand."""

    title: str
    width: str
    reason: str


def card_of(drawn: Picture) -> dict[str, Any]:
    """A picture as the page's script takes it."""
    return {
        "title": drawn.title,
        "subtitle": drawn.subtitle,
        "spec": drawn.spec,
        "html": drawn.html,
        "width": drawn.widget.width,
        "pick": drawn.pickable,
        "headers": drawn.headers,
    }


def card_without(title: str, width: str, reason: str) -> dict[str, Any]:
    """The place of a widget that is not drawn, with the reason as HTML."""
    return {"title": title, "subtitle": "", "spec": {}, "html": reason, "width": width, "pick": [], "headers": {}}


def pictures(
    workbook: Workbook, dashboard: Dashboard, filters: dict[str, Any], with_sql: bool = False
) -> list[Drawn | Failed]:
    """All widgets of a dashboard, in its order."""
    widgets: list[Drawn | Failed] = []
    with workbook.engine.read() as session:
        for widget in dashboard.widgets:
            try:
                drawn = picture(session, workbook, widget, filters)
                widgets.append(Drawn(drawn, sql_of(session, workbook, widget, filters) if with_sql else ""))
            except NotMade as error:
                widgets.append(Failed(plain_title(with_words(widget, workbook)), widget.width, str(error)))
            except UserError as error:
                widgets.append(Failed(widget.title, widget.width, str(error)))
    return widgets


def show(workbook: Workbook, name: str, filters: dict[str, Any] | None = None) -> Output:
    """All charts of a dashboard, one below the other, narrowed by `filters`: column → value, values or Days.

    Raises ParamsError for a dashboard that does not exist, ChartError for one of its charts that cannot be drawn.

    Example:
        >>> len(dashboards.show(wb, "decile", {"decile": 1}).parts)
        3
    """
    return stack(*(_drawn(workbook, widget, filters) for widget in load(workbook, name).widgets))


def _drawn(workbook: Workbook, widget: Widget, filters: dict[str, Any] | None) -> Output:
    """The widget, or why the stage that makes its table did not."""
    try:
        return draw(workbook, widget, filters)
    except NotMade as reason:
        return note(str(reason))
