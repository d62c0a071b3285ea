"""A lineage for people: an indented tree in the terminal, and one with colours in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

from clv_helpers.charts import PALETTE
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.insights.column_lineage import Column, Graph, Lineage, name_of
from clv_helpers.insights.trace import trace

LONGEST = 60  # characters of an expression
# The way from the files to the charts, in the colours that can be told apart.
COLOURS = dict(
    zip(
        ("lake", "derived", "lifetime", "profile", "insights", "audiences", "campaigns"), reversed(PALETTE), strict=True
    )
)


@dataclass(frozen=True)
class Line:
    """One line of the tree: where it hangs, the column, and what there is to say of it."""

    depth: int
    branch: str
    column: Column
    said: str


def lineage(workbook: Workbook, place: str) -> Output:
    """Where a column of a table, or a widget (`dashboards/NAME/1`), comes from. Raises LineageError."""
    found = trace(Graph(workbook), place)
    rows = "".join(map(_row, lines(found)))
    chosen = "".join(f"<code>{html.escape(name_of(each))}</code>, " for each in found.chosen_by)[:-2]
    below = f"<p class='clv-note'>Which rows count also depends on {chosen}.</p>" if chosen else ""
    body = f"<div class='clv-lineage' style='margin:8px 0;line-height:1.7;overflow-x:auto'>{rows}</div>{below}"
    return Output({"text/html": body, "text/plain": as_text(found)})


def as_text(found: Lineage) -> str:
    """The tree for the terminal: each column above those that its values are made of."""
    drawn = [(line.branch + name_of(line.column), line.said) for line in lines(found)]
    width = max(len(left) for left, _ in drawn)
    text = [f"{left:<{width}}  {said}".rstrip() for left, said in drawn]
    if found.chosen_by:
        text += ["", "Which rows count also depends on:", *(f"  {name_of(each)}" for each in found.chosen_by)]
    return "\n".join(text)


def lines(found: Lineage) -> list[Line]:
    """The tree from the column to the sources; what was drawn already is not drawn again."""
    return list(_lines(found, found.root, 0, "", "", set()))


def _lines(found: Lineage, each: Column, depth: int, branch: str, trunk: str, drawn: set[Column]) -> Iterator[Line]:
    below = found.values.get(each, [])
    again = each in drawn and bool(below)
    yield Line(depth, branch, each, "see above" if again else _said(found, each))
    drawn.add(each)
    for position, source in enumerate([] if again else below):
        last = position == len(below) - 1
        yield from _lines(
            found, source, depth + 1, trunk + ("└─ " if last else "├─ "), trunk + ("   " if last else "│  "), drawn
        )


def _said(found: Lineage, each: Column) -> str:
    """How the column is computed, or who makes it where that is the end of the way."""
    if each in found.ends or not each[0]:
        return f"← {found.made_by[each]}"
    text = " ".join(found.expressions.get(each, "").split())
    if not text:
        return "" if found.values[each] else f"← made in {found.made_by[each]}"
    return f"= {text[:LONGEST]}{'…' if text[LONGEST:] else ''}"


def _row(line: Line) -> str:
    schema = line.column[0].partition(".")[0]
    colour = COLOURS.get(schema, "#595959")
    dot = f"<span style='display:inline-block;width:.65em;height:.65em;border-radius:50%;background:{colour}'></span>"
    style = f"padding-left:{0.2 + 1.6 * line.depth:.1f}em;white-space:nowrap"
    name = f"<code style='font-size:.95em'>{html.escape(name_of(line.column))}</code>"
    said = f"<span style='opacity:.65;margin-left:1em;font-size:.88em'>{html.escape(line.said)}</span>"
    return f"<div style='{style}'>{dot} {name}{said if line.said else ''}</div>"
