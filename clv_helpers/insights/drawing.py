"""The star model as a picture: dimensions in the middle, facts on both sides, a line for each relation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv_helpers.models.table_file import Relation, Table

BOX, GAP, MARGIN = 320, 110, 24
HEAD, LINE, BETWEEN = 26, 18, 16
COLORS = {"dim": "#00674B", "fact": "#00568A", "bridge": "#595959"}
MOST_LINES = 6
# The engines' types in the words of the contract's.
TYPES = {"varchar": "text", "bigint": "integer", "hugeint": "integer", "double": "number", "decimal": "decimal"}


@dataclass
class Box:
    """A table in the picture: the columns that are shown, how many are not, and where it stands."""

    name: str
    kind: str
    own: bool
    by_day: bool
    columns: list[dict[str, Any]]
    more: int
    side: int = 0
    y: float = 0

    @property
    def x(self) -> int:
        return MARGIN + self.side * (BOX + GAP)

    @property
    def height(self) -> int:
        return HEAD + LINE * (len(self.columns) + bool(self.more)) + 8

    def line_y(self, column: str) -> float:
        """The middle of a column's line; that of the head where it is not shown."""
        places = [place for place, shown in enumerate(self.columns) if shown["name"] == column]
        return self.y + (HEAD + LINE * places[0] + LINE / 2 + 3 if places else HEAD / 2)


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
    """The picture as SVG: text is text, colours are explained in words as well, and it is as tall as it must be.

    Facts stand at the side on which fewer lines stand already, in the order of the dimensions that they lead to.
    """
    from jinja2 import Environment, PackageLoader

    boxes = {table.name: _box(table, model) for table in model.tables}
    related = {name for r in model.relations for name in (r.table, r.to_table)}
    middle = [box for box in boxes.values() if box.kind == "dim" and box.name in related]
    sides = [box for box in boxes.values() if box.kind != "dim" and box.name in related]
    alone = [box for box in boxes.values() if box.name not in related]
    _place(middle, sides, model.relations)
    height = max((box.y + box.height for box in middle + sides), default=0) + BETWEEN
    height = _place_alone(alone, height + HEAD)
    template = Environment(loader=PackageLoader("clv_helpers", "insights"), autoescape=True).get_template(
        "drawing.svg.j2"
    )
    return template.render(
        boxes=list(boxes.values()), alone=alone, lines=[_line(r, boxes) for r in model.relations], colors=COLORS,
        width=2 * MARGIN + 3 * BOX + 2 * GAP, height=height + MARGIN, box=BOX, head=HEAD, line=LINE,
    )  # fmt: skip


def _box(table: Table, model: Model) -> Box:
    """Its key, what its relations lead by, and then as many columns as there is room for."""
    leading = {r.column for r in model.relations if r.table == table.name}
    targets = {r.to_column for r in model.relations if r.to_table == table.name}
    known = model.columns.get(table.name, {})
    first = list(dict.fromkeys([*table.key, *(n for n in known if n in leading | targets)]))
    names = first + [name for name in known if name not in first][: max(0, MOST_LINES - len(first))]
    kinds = {name: kind.split("(")[0].lower() for name, kind in known.items()}
    columns = [{"name": name, "key": name in table.key, "type": TYPES.get(kinds[name], kinds[name])} for name in names]
    kind = table.name.split(".")[1].split("_")[0]
    own = not table.is_ours
    return Box(table.name, kind if kind in COLORS else "fact", own, table.snapshot, columns, len(known) - len(names))


def _place(middle: list[Box], sides: list[Box], relations: list[Relation]) -> None:
    """Dimensions below each other, those with most lines first; facts beside them by the mean height of their lines."""
    weight = {box.name: sum(r.to_table == box.name for r in relations) for box in middle}
    for box in middle:
        box.side = 1
    _stack(sorted(middle, key=lambda box: -weight[box.name]))
    places = {box.name: box for box in middle}
    for _ in range(3):
        left: list[Box] = []
        right: list[Box] = []
        filled = [0.0, 0.0]
        for box in sorted(sides, key=lambda box: _mean_height(box, places, relations)):
            side = filled.index(min(filled))
            (left, right)[side].append(box)
            box.side = 2 * side
            filled[side] += box.height
        _stack(left)
        _stack(right)
        others = {box.name: box for box in sides}
        _stack(sorted(middle, key=lambda box: _mean_height(box, {**others, **places}, relations)))


def _mean_height(box: Box, places: dict[str, Box], relations: list[Relation]) -> float:
    ends = [r.to_table for r in relations if r.table == box.name] + [
        r.table for r in relations if r.to_table == box.name
    ]
    heights = [places[end].y + places[end].height / 2 for end in ends if end in places]
    return sum(heights) / len(heights) if heights else 1e9


def _stack(boxes: list[Box]) -> None:
    y = float(MARGIN)
    for box in boxes:
        box.y = y
        y += box.height + BETWEEN


def _place_alone(boxes: list[Box], y: float) -> float:
    """Tables without relations in rows of three; gives where they end."""
    for start in range(0, len(boxes), 3):
        row = boxes[start : start + 3]
        for side, box in enumerate(row):
            box.side, box.y = side, y
        y += max(box.height for box in row) + BETWEEN
    return y


def _line(relation: Relation, boxes: dict[str, Box]) -> dict[str, Any]:
    """A curve from the column to the key that it leads to; between two dimensions it bulges to the right."""
    start, end = boxes[relation.table], boxes[relation.to_table]
    y1, y2 = start.line_y(relation.column), end.line_y(relation.to_column)
    if start.side == end.side:
        x1, x2, bend = start.x + BOX, end.x + BOX, [start.x + BOX + 60.0] * 2
    else:
        to_right = start.x < end.x
        x1, x2 = (start.x + BOX, end.x) if to_right else (start.x, end.x + BOX)
        bend = [x1 + (GAP / 2 if to_right else -GAP / 2), x2 + (-GAP / 2 if to_right else GAP / 2)]
    path = f"M{x1} {y1} C{bend[0]} {y1} {bend[1]} {y2} {x2} {y2}"
    return {"path": path, "x": x2, "y": y2, "title": str(relation), "color": COLORS[start.kind]}
