"""What a widget's rows can come from: the tables meant for people, the others, their columns, and usual filters."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from clv_helpers.charts.texts import header
from clv_helpers.conditions import Attribute
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import spec
from clv_helpers.editors import attributes
from clv_helpers.editors.columns import values
from clv_helpers.engines.dialect import table
from clv_helpers.engines.guarded_query import parse_select
from clv_helpers.engines.session import Session
from clv_helpers.models.catalog import CHARTED, table_catalog

OF_CUSTOMERS = {"customer_id", "customer"}  # tables with a row per customer are no table of a chart
Filters = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One table in the picker: what it is called, what a row is, and whether it stands among the first.

    `usual`: the filters of the boards' widgets on it. Rows of ALL and of overlapping look-backs are not added up.
    """

    name: str
    title: str
    about: str
    is_first: bool
    columns: list[str]
    usual: Filters


def sources(session: Session, workbook: Workbook) -> list[Source]:
    """The tables that charts can be made of, by title: those of any board and one's own first; no row per customer."""
    catalog, on_boards = table_catalog(workbook), _on_boards(workbook)
    found = []
    for name in session.tables():
        columns = list(session.columns(table(name))) if name.partition(".")[0] in CHARTED else []
        if not columns or OF_CUSTOMERS & set(columns):
            continue
        known = catalog.get(name)
        own = known is not None and f"params/{workbook.name}/" in known.written_by and "fact_" in name
        about = known.one_row.strip().rstrip(".") if known else ""
        usual = {key: value for key, value in on_boards.get(name, {}).items() if key in columns}
        found.append(Source(name, _title(name), about, own or name in on_boards, columns, usual))
    titles = Counter(source.title for source in found)
    named = [replace(s, title=f"{s.title} ({s.name.partition('.')[0]})") if titles[s.title] > 1 else s for s in found]
    return sorted(named, key=lambda source: (not source.is_first, source.title))


def columns_of(session: Session, workbook: Workbook, raw: dict[str, Any]) -> list[Attribute]:
    """The columns of a widget's source; none where it is not there."""
    if raw.get("sql"):
        file = yaml_files.find(workbook, "dashboards", raw["sql"], "sql")
        return attributes(session, parse_select(file.read_text("utf-8"), file.name).subquery("data")) if file else []
    name = raw.get("table") or ""
    return attributes(session, table(name), name) if name and session.has_table(name) else []


def source_tree(workbook: Workbook, raw: dict[str, Any]) -> exp.Expression | None:
    """Where a widget's rows are, for a query; None where that is not there."""
    if raw.get("table"):
        return table(raw["table"])
    file = yaml_files.find(workbook, "dashboards", raw.get("sql") or "", "sql")
    return parse_select(file.read_text("utf-8"), file.name).subquery("data") if file else None


def _title(name: str) -> str:
    return header(re.sub(r"^(fact|dim|bridge)_", "", name.partition(".")[2]))


def _on_boards(workbook: Workbook) -> dict[str, Filters]:
    """The tables that boards show, each with the filters of its first widget."""
    found: dict[str, Filters] = {}
    for name in spec.names(workbook):
        try:
            widgets = spec.load(workbook, name).widgets
        except ParamsError:
            continue  # what is wrong with a file is said where it is opened
        for widget in widgets:
            if widget.table and not found.get(widget.table):
                found[widget.table] = dict(widget.filters)
    return found


def values_of(session: Session, workbook: Workbook, raw: dict[str, Any], column: str, most: int = 60) -> list[Any]:
    """The values of a column of a widget's source that a filter can have, in order."""
    source = source_tree(workbook, raw)
    found = values(session, source, column, most) if source is not None else []
    return [value if isinstance(value, str | int | float | bool) else str(value) for value in found]
