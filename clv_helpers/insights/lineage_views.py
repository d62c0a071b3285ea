"""The lineage of what a person names, a column or a widget, as an indented tree for the terminal and a notebook."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.charts import Widget, show
from clv_helpers.charts.declared import shown
from clv_helpers.charts.show import Output
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse
from clv_helpers.models.column_lineage import Column, Graph, Lineage, LineageError, name_of

LONGEST = 60  # characters of an expression


def lineage(workbook: Workbook, place: str) -> Output:
    """Where a column of a table, or a widget (`dashboards/NAME/1`), comes from. Raises LineageError.

    Example:
        >>> text = insights.lineage(wb, "insights.fact_value_by_decile.value").bundle["text/plain"]
        >>> text.splitlines()[0].split()[0]
        'insights.fact_value_by_decile.value'
    """
    return show.code(as_text(trace(Graph(workbook), place)))


def trace(graph: Graph, place: str) -> Lineage:
    """The lineage of a column (`insights.dim_date.day`) or a widget (`dashboards/value/1`, or by title).

    Raises LineageError, with what is near or allowed, for what is not there.
    """
    if not place.startswith("dashboards/"):
        return graph.lineage(graph.column(place))
    _, board, which = (*place.split("/", 2), "")[:3]
    number, widget = _widget(graph.workbook, board, which)
    traced = graph.lineage(("", f"dashboards/{board}/{number}"), _inputs(graph, board, widget))
    traced.made_by[traced.root] = f"params/{graph.workbook.name}/dashboards/{board}.yml"
    return traced


def _widget(workbook: Workbook, board: str, which: str) -> tuple[int, Widget]:
    """A widget of a dashboard, by its number or its title, and its number."""
    if board not in yaml_files.names(workbook, "dashboards"):
        allowed = ", ".join(yaml_files.names(workbook, "dashboards"))
        raise LineageError(f"there is no dashboard {board!r}; allowed: {allowed}")
    widgets = yaml_files.read(workbook, "dashboards", board).get("widgets") or []
    titles = [str(widget.get("title", "")) for widget in widgets]
    numbers = {str(number): number for number in range(1, len(widgets) + 1)}
    number = titles.index(which) + 1 if which in titles else numbers.get(which)
    if number is None:
        raise LineageError(f"dashboards/{board} has no widget {which!r}; allowed: 1 to {len(widgets)}, or a title")
    return number, validate(Widget, widgets[number - 1], f"dashboards/{board}/{number}")


def _inputs(graph: Graph, board: str, widget: Widget) -> list[Column]:
    """The columns that a widget is made of: of its table, or of those that its SQL reads."""
    if widget.table:
        known = graph.columns(widget.table)
        return [(widget.table, column) for column in shown(widget) if column in known]
    file = yaml_files.find(graph.workbook, "dashboards", str(widget.sql), "sql")
    if file is None:
        raise LineageError(f"dashboards/{board}: there is no {widget.sql}.sql")
    try:
        query = parse(file.read_text(encoding="utf-8"))
    except (OSError, ParseError) as error:
        raise LineageError(f"{file.name}: {str(error).splitlines()[0]}") from None
    if not isinstance(query, exp.Query):
        raise LineageError(f"{file.name}: it is no query; allowed: a single SELECT")
    made = graph.of_query(query)
    columns = [name.lower() for name in shown(widget)]
    return list(dict.fromkeys(source for column in columns if column in made for source in made[column].values))


def as_text(traced: Lineage) -> str:
    """The tree as text: each column above those that its values are made of."""
    lines = list(_lines(traced, traced.root, "", "", set()))
    width = max(len(column) for column, _ in lines)
    return "\n".join(f"{column:<{width}}  {origin}".rstrip() for column, origin in lines)


def _lines(traced: Lineage, column: Column, branch: str, trunk: str, shown: set[Column]) -> Iterator[tuple[str, str]]:
    """From the column to the sources, each with its origin; what stands in the tree already is not unfolded again."""
    below = traced.values.get(column, [])
    again = column in shown and bool(below)
    yield branch + name_of(column), "see above" if again else _origin(traced, column)
    shown.add(column)
    for left, source in enumerate([] if again else below, 1 - len(below)):  # 0: the last
        knee, under = ("├─ ", "│  ") if left else ("└─ ", "   ")
        yield from _lines(traced, source, trunk + knee, trunk + under, shown)


def _origin(traced: Lineage, column: Column) -> str:
    """How the column is computed, or who makes it where that is the end of the way."""
    if column in traced.sources or not column[0]:
        return f"← {traced.made_by[column]}"
    text = " ".join(traced.expressions.get(column, "").split())
    if not text:
        return "" if traced.values[column] else f"← made in {traced.made_by[column]}"
    return f"= {text[:LONGEST]}{'…' if text[LONGEST:] else ''}"
