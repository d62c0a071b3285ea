"""Which rows are behind a mark that was picked: the table, who is counted in it, and the values the rows are of."""

from __future__ import annotations

from typing import Any

from clv_helpers.charts import Widget
from clv_helpers.charts.rows import PURCHASES, Behind, Days, narrowing, population, source_of
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError


def behind(
    session: Session, workbook: Workbook, widgets: list[Widget], narrowed: dict[str, Any], clicked: dict[str, Any]
) -> list[Behind]:
    """What each widget that knows the columns `clicked` shows of them, by the filters that narrow it beside."""
    found = []
    for widget in widgets:
        try:
            known = list(session.columns(source_of(session, workbook, widget).copy()))
        except UserError:
            continue  # what cannot be drawn says so in its place
        people = population(widget, known)
        values = {**widget.filters, **narrowing(widget, narrowed, known), **clicked}
        says = widget.table and not widget.exclude and people not in (None, PURCHASES)
        if says and clicked.keys() <= set(known) and not any(isinstance(value, Days) for value in values.values()):
            found.append(Behind(str(widget.table), str(people), values))
    return found
