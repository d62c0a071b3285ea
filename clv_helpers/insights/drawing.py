"""The star model as a picture: dimensions in the middle, facts on both sides, a line for each relation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from clv_helpers.models.table_file import Relation, Table

BOX, GAP, MARGIN = 320, 110, 24
HEAD, LINE, BETWEEN = 26, 18, 16
COLUMNS = tuple(MARGIN + place * (BOX + GAP) for place in range(3))
MIDDLE, SIDES = COLUMNS[1:2], COLUMNS[::2]
COLORS = {"dim": "#00674B", "fact": "#00568A", "bridge": "#595959"}
MOST_LINES = 6
# The engines' types in the words of the contract's.
TYPES = {"varchar": "text", "bigint": "integer", "hugeint": "integer", "double": "number", "decimal": "decimal"}


@dataclass
class Box:
    """A table in the picture: the columns that are shown, how many are not, and where it stands."""

    table: Table
    columns: list[dict[str, Any]]
    more: int
    x: int = 0
    y: int = 0

    @property
    def kind(self) -> str:
        """What its name begins with: dim, fact or bridge; anything else is drawn as a fact."""
        kind = self.table.name.split(".")[1].split("_")[0]
        return kind if kind in COLORS else "fact"

    @property
    def height(self) -> int:
        return HEAD + LINE * (len(self.columns) + bool(self.more)) + 8

    def line_y(self, column: str) -> int:
        """The middle of a column's line; that of the head where it is not shown."""
        names = [shown["name"] for shown in self.columns]
        return self.y + (HEAD + LINE * names.index(column) + LINE // 2 + 3 if column in names else HEAD // 2)


@dataclass(frozen=True)
class Model:
    """The tables of the model, their columns, and the relations between them."""

    tables: list[Table]
    columns: dict[str, dict[str, str]]

    @property
    def relations(self) -> list[Relation]:
        names = {table.name for table in self.tables}
        relations = [relation for table in self.tables for relation in table.relations]
        return [relation for relation in relations if {relation.table, relation.to_table} <= names]


def draw(model: Model) -> str:
    """The picture as SVG: text is text, colours are explained in words as well, and it is as tall as it must be."""
    from jinja2 import Environment, PackageLoader

    boxes = {table.name: _box(table, model) for table in model.tables}
    alone, end = _place(boxes, model.relations)
    height = _stack(alone, COLUMNS, end + HEAD) if alone else end
    template = Environment(loader=PackageLoader("clv_helpers", "insights"), autoescape=True).get_template(
        "drawing.svg.j2"
    )
    return template.render(
        boxes=list(boxes.values()), alone=alone, lines=[_line(r, boxes) for r in model.relations], colors=COLORS,
        width=COLUMNS[-1] + BOX + MARGIN, height=height + MARGIN, box=BOX, head=HEAD, line=LINE,
    )  # fmt: skip


def _box(table: Table, model: Model) -> Box:
    """Its key, what its relations lead by, and then as many columns as there is room for."""
    ends = {r.column for r in model.relations if r.table == table.name}
    ends |= {r.to_column for r in model.relations if r.to_table == table.name}
    known = model.columns.get(table.name, {})
    first = list(dict.fromkeys([*table.key, *(name for name in known if name in ends)]))
    names = first + [name for name in known if name not in first][: max(0, MOST_LINES - len(first))]
    kinds = {name: kind.split("(")[0].lower() for name, kind in known.items()}
    columns = [{"name": name, "key": name in table.key, "type": TYPES.get(kinds[name], kinds[name])} for name in names]
    return Box(table, columns, len(known) - len(names))


def _place(boxes: dict[str, Box], relations: list[Relation]) -> tuple[list[Box], int]:
    """Dimensions and facts in turn by the mean height of what their lines lead to, which untangles most lines.

    Gives the tables without relations, which are still to be placed, and where the others end.
    """
    ends: dict[str, list[Box]] = {}
    for relation in relations:
        ends.setdefault(relation.table, []).append(boxes[relation.to_table])
        ends.setdefault(relation.to_table, []).append(boxes[relation.table])
    dimensions = [box for name, box in boxes.items() if name in ends and box.kind == "dim"]
    facts = [box for name, box in boxes.items() if name in ends and box.kind != "dim"]

    def by_lines(box: Box) -> float:
        """A fact that leads to no dimension comes last, where its line passes behind none."""
        across = [end for end in ends[box.table.name] if "dim" in (box.kind, end.kind)]
        return fmean([end.y + end.height / 2 for end in across] or [math.inf])

    _stack(sorted(dimensions, key=lambda box: -len(ends[box.table.name])), MIDDLE)
    for _ in range(3):
        sides = _stack(sorted(facts, key=by_lines), SIDES)
        middle = _stack(sorted(dimensions, key=by_lines), MIDDLE)
    return [box for name, box in boxes.items() if name not in ends], max(sides, middle)


def _stack(boxes: list[Box], columns: tuple[int, ...], top: int = MARGIN) -> int:
    """Boxes one below the other, each in the column that ends highest so far; gives where the last one ends."""
    ends = dict.fromkeys(columns, top)
    for box in boxes:
        box.x = min(ends, key=ends.__getitem__)
        box.y = ends[box.x]
        ends[box.x] += box.height + BETWEEN
    return max(ends.values())


def _line(relation: Relation, boxes: dict[str, Box]) -> dict[str, Any]:
    """A curve from the column to the key that it leads to; between two dimensions it bulges to the right."""
    start, end = boxes[relation.table], boxes[relation.to_table]
    from_right, to_right = start.x <= end.x, start.x >= end.x
    x1, bend1 = (start.x + BOX, GAP / 2) if from_right else (start.x, -GAP / 2)
    x2, bend2 = (end.x + BOX, GAP / 2) if to_right else (end.x, -GAP / 2)
    y1, y2 = start.line_y(relation.column), end.line_y(relation.to_column)
    path = f"M{x1} {y1} C{x1 + bend1} {y1} {x2 + bend2} {y2} {x2} {y2}"
    return {"path": path, "x": x2, "y": y2, "title": str(relation), "color": COLORS[start.kind]}
