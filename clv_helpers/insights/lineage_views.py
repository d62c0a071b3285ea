"""A lineage for people: an indented tree, in the terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.insights.column_lineage import Column, Graph, Lineage, name_of
from clv_helpers.insights.trace import trace

LONGEST = 60  # characters of an expression


@dataclass(frozen=True)
class Line:
    """One line of the tree: its branches, the column, and how it is computed or who makes it."""

    branch: str
    column: Column
    origin: str


def lineage(workbook: Workbook, place: str) -> Output:
    """Where a column of a table, or a widget (`dashboards/NAME/1`), comes from. Raises LineageError.

    Example:
        >>> text = insights.lineage(wb, "insights.fact_value_by_decile.value").bundle["text/plain"]
        >>> text.splitlines()[0].split()[0]
        'insights.fact_value_by_decile.value'
    """
    return show.code(as_text(trace(Graph(workbook), place)))


def as_text(traced: Lineage) -> str:
    """The tree as text: each column above those that its values are made of."""
    rows = [(line.branch + name_of(line.column), line.origin) for line in _lines(traced, traced.root, "", "", set())]
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"{left:<{width}}  {origin}".rstrip() for left, origin in rows)


def _lines(traced: Lineage, column: Column, branch: str, trunk: str, shown: set[Column]) -> Iterator[Line]:
    """From the column to the sources; what stands in the tree already is not unfolded again."""
    below = traced.values.get(column, [])
    again = column in shown and bool(below)
    yield Line(branch, column, "see above" if again else _origin(traced, column))
    shown.add(column)
    for position, source in enumerate([] if again else below):
        last = position == len(below) - 1
        yield from _lines(traced, source, trunk + ("└─ " if last else "├─ "), trunk + ("   " if last else "│  "), shown)


def _origin(traced: Lineage, column: Column) -> str:
    """How the column is computed, or who makes it where that is the end of the way."""
    if column in traced.ends or not column[0]:
        return f"← {traced.made_by[column]}"
    text = " ".join(traced.expressions.get(column, "").split())
    if not text:
        return "" if traced.values[column] else f"← made in {traced.made_by[column]}"
    return f"= {text[:LONGEST]}{'…' if text[LONGEST:] else ''}"
