"""What a dashboard's file may name, checked before anything is built, by the columns that the tables' SQL gives."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from clv_helpers.charts.rows import named
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import load


def file_problems(workbook: Workbook, name: str, tables: dict[str, tuple[str, ...] | None]) -> list[Problem]:
    """What widgets and filters ask in vain of `tables` (see models.known_columns): tables or columns not there.

    Rows of SQL files beside the dashboards are not judged. Raises ParamsError where the file is no dashboard.
    """
    dashboard, file = load(workbook, name), yaml_files.shown(workbook, "dashboards", name)
    problems: list[Problem] = []
    for index, widget in enumerate(dashboard.widgets):
        if widget.table:
            problems += _problems(f"widgets[{index}]", widget.table, list(dict.fromkeys(named(widget))), tables)
    for index, board_filter in enumerate(dashboard.filters):
        columns = [name for name in (board_filter.column, board_filter.order_by) if name]
        problems += _problems(f"filters[{index}]", board_filter.table, columns, tables)
    return [problem._replace(file=file) for problem in problems]


def _problems(
    place: str, table: str, columns: list[str], tables: dict[str, tuple[str, ...] | None]
) -> Iterable[Problem]:
    if tables and table not in tables:
        yield Problem(f"{place}.table", repr(table), _nearest(table, list(tables)))
    known = tables.get(table)
    if known:
        for name in columns:
            if name not in known:
                yield Problem(f"{place}.table", f"{table}, which has no column {name!r}", _nearest(name, known))


def _nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else ", ".join(known)
