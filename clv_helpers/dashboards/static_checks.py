"""What a dashboard's file may name, judged before anything is built: the SQL of the tables tells their columns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from clv_helpers.charts import Widget
from clv_helpers.charts.rows import named
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import BoardFilter, load


def file_problems(workbook: Workbook, name: str, tables: dict[str, list[str] | None]) -> list[Problem]:
    """What widgets and filters ask in vain of `tables` (see lake.known_columns): a table or a column that is not there.

    Rows of SQL files beside the dashboards are not judged. Raises ParamsError where the file is no dashboard.
    """
    dashboard, file = load(workbook, name), yaml_files.shown(workbook, "dashboards", name)
    found: list[Problem] = []
    for index, widget in enumerate(dashboard.widgets):
        if widget.table:
            found += _of(f"widgets[{index}]", widget.table, _of_widget(widget), tables)
    for index, each in enumerate(dashboard.filters):
        found += _of(f"filters[{index}]", each.table, _of_filter(each), tables)
    return [each._replace(file=file) for each in found]


def _of_widget(widget: Widget) -> list[str]:
    return list(dict.fromkeys(named(widget)))


def _of_filter(each: BoardFilter) -> list[str]:
    return [name for name in (each.column, each.order_by) if name]


def _of(place: str, table: str, columns: list[str], tables: dict[str, list[str] | None]) -> Iterable[Problem]:
    if tables and table not in tables:
        yield Problem(f"{place}.table", repr(table), _nearest(table, list(tables)))
    known = tables.get(table)
    for name in columns if known else ():
        if name not in known:
            yield Problem(f"{place}.table", f"{table}, which has no column {name!r}", _nearest(name, known))


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else ", ".join(known)
