"""The lineage of what a person names: a column of a table, or a widget of a dashboard, with all that its YAML names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.config import yaml_files
from clv_helpers.config.validation import read_yaml
from clv_helpers.engines.dialect import parse
from clv_helpers.insights.column_lineage import Column, Graph, Lineage, LineageError

PLACES = ("filters", "exclude", "highlight", "title_from")  # their keys are columns


def trace(graph: Graph, place: str) -> Lineage:
    """The lineage of a column (`insights.dim_date.day`) or a widget (`dashboards/value/1`, or by title).

    Raises LineageError, with what is near or allowed, for what is not there.
    """
    if not place.startswith("dashboards/"):
        return graph.lineage(graph.column(place))
    root, inputs = _widget(graph, place)
    traced = graph.lineage(root, inputs)
    traced.made_by[root] = f"params/{graph.workbook.name}/{root[1].rpartition('/')[0]}.yml"
    return traced


def _widget(graph: Graph, place: str) -> tuple[Column, list[Column]]:
    """A widget as the root of a lineage, and the columns that it shows or asks for."""
    _, name, which = (*place.split("/", 2), "")[:3]
    board = yaml_files.find(graph.workbook, "dashboards", name)
    if board is None:
        allowed = ", ".join(yaml_files.names(graph.workbook, "dashboards"))
        raise LineageError(f"there is no dashboard {name!r}; allowed: {allowed}")
    widgets = read_yaml(board).get("widgets") or []
    titles = [str(widget.get("title", "")) for widget in widgets]
    if which in titles:
        index = titles.index(which)
    elif which.isdigit() and 1 <= int(which) <= len(widgets):
        index = int(which) - 1
    else:
        raise LineageError(f"dashboards/{name} has no widget {which!r}; allowed: 1 to {len(widgets)}, or a title")
    widget, title = widgets[index], titles[index]
    root = ("", f"dashboards/{name}/{index + 1}")
    named = [*_columns(widget), *re.findall(r"{(\w+)}", title)]
    if widget.get("table"):
        known = graph.columns(widget["table"])
        return root, [(widget["table"], column) for column in dict.fromkeys(named) if column in known]
    file = yaml_files.find(graph.workbook, "dashboards", str(widget.get("sql")), "sql")
    if file is None:
        raise LineageError(f"dashboards/{name}: there is no {widget.get('sql')}.sql")
    try:
        query = parse(file.read_text(encoding="utf-8"))
    except (OSError, ParseError) as error:
        raise LineageError(f"{file.name}: {str(error).splitlines()[0]}") from None
    if not isinstance(query, exp.Query):
        raise LineageError(f"{file.name}: it is no query; allowed: a single SELECT")
    inputs = graph.of_query(query)
    shown = [source for column in dict.fromkeys(named) for source in inputs.values.get(column.lower(), [])]
    return root, list(dict.fromkeys(shown))


def _columns(part: Any, key: str = "") -> Iterator[str]:
    """The columns that a widget's YAML names, wherever in it."""
    match part:
        case dict():
            if key in PLACES:
                yield from part
            for name, value in part.items():
                yield from _columns(value, name)
        case list():
            for value in part:
                yield from _columns(value, key)
        case str() if key in ("column", "sort", "x", "x2", "y", "color", "size", "columns", "tooltip", "people"):
            yield part.removeprefix("-")
