"""An audience being edited: plain values, a selected place, and the moves of the builder, without any widget."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from clv_helpers import editors
from clv_helpers.audiences.rule import SOURCES, Audience
from clv_helpers.conditions import Attribute
from clv_helpers.config.validation import ParamsError, parse_value, validate

Path = tuple[int, ...]
EMPTY = {"title": "New audience", "rule": {"all": []}}
TIMES = {
    "any time": "", "in the last": "90 days", "today": "", "yesterday": "", "this month": "", "this year": "",
    "in the next": "30 days", "on": "2026-01-31", "from … to": "2026-01-01 to 2026-03-31", "during": "2026-05",
    "within … of": "3 days of today", "before": "2026-01-01", "after": "90 days ago",
    "between": "90 days ago and 30 days ago",
}  # fmt: skip
TO_WHEN = {"in the last": "in_last", "in the next": "in_next", "between": "rolling … and"}  # the others: themselves


@dataclass(frozen=True)
class Row:
    """One line of the canvas: where it stands in the tree, and the part without a `not` around it."""

    path: Path
    part: dict[str, Any]
    excluded: bool

    @property
    def container(self) -> str:
        """`all` or `any` for a container, empty for a condition."""
        return next((kind for kind in ("all", "any") if kind in self.part), "")


class Draft(editors.Draft[Path]):
    """The audience as plain values, and the path of the selected row. Each change can be undone."""

    def __init__(self, audience: Audience | None = None):
        super().__init__(audience.to_raw() if audience else EMPTY, ())
        rule = self.raw.setdefault(
            "rule", {"all": []}
        )  # the canvas, also where SQL, a list or a priority is in its place
        if not {"all", "any"} & set(rule):
            self.raw["rule"] = {"all": [rule]}

    @property
    def in_place_of_rule(self) -> bool:
        """Whether something else than the rule says who is in it."""
        return any(key in self.raw for key in SOURCES if key != "rule")

    def parse(self) -> Audience:
        """Raises ParamsError, which names what is missing or wrong."""
        raw = {key: value for key, value in self.raw.items() if key != "rule" or not self.in_place_of_rule}
        return validate(Audience, raw, "the draft")

    def compose(self, key: str, value: Any) -> None:
        """Set one key of the composition; None takes it away."""
        if self.raw.get(key) != value:
            self.remember()
            self.raw = {name: each for name, each in {**self.raw, key: value}.items() if each is not None}

    def rows(self) -> list[Row]:
        """The canvas from top to bottom, the outermost container first."""
        return self._rows(())

    def row(self) -> Row:
        """The selected one."""
        return next((row for row in self.rows() if row.path == self.selected), self.rows()[0])

    def add(self, part: dict[str, Any]) -> None:
        """Into the selected container, or after the selected condition; the new one is selected."""
        self.remember()
        row = self.row()
        if row.container:
            row.part[row.container].append(part)
            self.selected = (*row.path, len(row.part[row.container]) - 1)
        else:
            parent, index = self._parent(row.path)
            parent.insert(index + 1, part)
            self.selected = (*row.path[:-1], index + 1)

    def replace(self, part: dict[str, Any]) -> None:
        """Put another condition or container in the place of the selected one; excluding stays."""
        self.remember()
        row = self.row()
        node = {"not": part} if row.excluded else part
        if row.path:
            parent, index = self._parent(row.path)
            parent[index] = node
        else:
            self.raw["rule"] = node

    def remove(self) -> None:
        """Take the selected row away, and a container that is empty then."""
        if not self.selected:
            return
        self.remember()
        emptied = True
        while emptied and self.selected:
            parent, index = self._parent(self.selected)
            del parent[index]
            self.selected = self.selected[:-1]
            emptied = not parent

    def exclude(self) -> None:
        """Exclude the selected row, or include it again."""
        if self.selected:
            self.remember()
            parent, index = self._parent(self.selected)
            parent[index] = parent[index].get("not", {"not": parent[index]})

    def switch(self) -> None:
        """Make `all` of the selected container `any`, and back."""
        row = self.row()
        if row.container:
            self.remember()
            kind = row.container
            row.part["any" if kind == "all" else "all"] = row.part.pop(kind)

    def wrap(self) -> None:
        """Put the selected row into a container of its own."""
        if self.selected:
            self.remember()
            parent, index = self._parent(self.selected)
            parent[index] = {"all": [parent[index]]}

    def unwrap(self) -> None:
        """Put what is in the selected container in its place."""
        row = self.row()
        if self.selected and row.container and not row.excluded:
            self.remember()
            parent, index = self._parent(self.selected)
            parent[index : index + 1] = row.part[row.container]

    def move(self, step: int) -> None:
        """Up (-1) or down (1) among its neighbours; at the end, out of its container."""
        if not self.selected:
            return
        parent, index = self._parent(self.selected)
        if 0 <= index + step < len(parent):
            self.remember()
            parent[index], parent[index + step] = parent[index + step], parent[index]
            self.selected = (*self.selected[:-1], index + step)
        else:
            self.move_out(after=step > 0)

    def move_out(self, after: bool = True) -> None:
        """Out of its container, to stand behind it or before it."""
        outer = self.selected[:-1]
        if not outer:
            return
        self.remember()
        parent, index = self._parent(self.selected)
        node = parent.pop(index)
        siblings, place = self._parent(outer)
        target = place + after
        siblings.insert(target, node)
        if not parent:
            del siblings[place + (not after)]
            target = place
        self.selected = (*outer[:-1], target)

    def move_in(self) -> None:
        """Into the container that stands right above it."""
        if not self.selected or not self.selected[-1]:
            return
        above = self.at((*self.selected[:-1], self.selected[-1] - 1))
        if above.container:
            self.remember()
            parent, index = self._parent(self.selected)
            above.part[above.container].append(parent.pop(index))
            self.selected = (*above.path, len(above.part[above.container]) - 1)

    def _rows(self, path: Path) -> list[Row]:
        row = self.at(path)
        below = range(len(row.part.get(row.container, [])))
        return [row, *(inner for index in below for inner in self._rows((*path, index)))]

    def at(self, path: Path) -> Row:
        """What stands at a path: one index per container on the way, whether or not a `not` is around it."""
        node = self.raw["rule"]
        row = Row((), node.get("not", node), "not" in node)
        for depth, index in enumerate(path, 1):
            node = row.part[row.container][index]
            row = Row(path[:depth], node.get("not", node), "not" in node)
        return row

    def _parent(self, path: Path) -> tuple[list[dict[str, Any]], int]:
        above = self.at(path[:-1])
        return above.part[above.container], path[-1]


def to_value(text: str, kind: str, op: str) -> Any:
    """What is typed into a value's field, in the type of the column; several values by comma, tab or line.

    What does not fit the type stays text, for the check to name it.
    """
    if op in ("exists", "missing", "all"):
        return None
    if op in ("in", "not in", "between"):
        parts = re.split(r" and |[,;\t\n]" if op == "between" else r"[,;\t\n]", text)
        return [_one(part.strip(), kind) for part in parts if part.strip()]
    return _one(text if kind == "text" else text.strip(), kind)


def _one(text: str, kind: str) -> Any:
    if kind in ("integer", "number", "boolean"):
        value = parse_value(text) if re.fullmatch(r"[-+\w.]+", text) else text
        return value if isinstance(value, int | float | bool) else text
    return text


def to_when(choice: str, text: str, ignore_year: bool = False) -> dict[str, Any] | None:
    """A choice of TIMES and what is typed beside it, as `when`; None for any time."""
    if choice == "any time":
        return None
    key, _, word = TO_WHEN.get(choice, choice).partition(" … ")
    first, _, second = text.strip().partition(f" {word} ")
    if not TIMES[choice]:
        raw: dict[str, Any] = {"is": choice}
    elif choice == "between":
        raw = {"rolling": [first, second]}
    else:
        raw = {key: first, word: second} if word else {key: text.strip()}
    return raw | ({"ignore_year": True} if ignore_year else {})


def to_condition(attribute: Attribute, op: str, text: str, when: dict[str, Any] | None) -> dict[str, Any]:
    """A condition on a column as the builder's fields hold it."""
    if when and attribute.is_date:
        return {"field": attribute.name, "when": when}
    value = to_value(text, attribute.kind, op)
    return {"field": attribute.name, "op": op} | ({} if value is None else {"value": value})


def to_comparison(attribute: Attribute, op: str, than: str, plus: str) -> dict[str, Any]:
    """A condition that compares two columns, as the builder's fields hold it; nothing typed adds nothing."""
    more = plus.strip() if attribute.is_date else _one(plus.strip(), "number")
    return {"field": attribute.name, "op": op, "than": than} | ({"plus": more} if plus.strip() else {})


def problem_of(draft: Draft) -> str:
    """What keeps a draft from being an audience, in a sentence; empty where nothing does."""
    if not draft.in_place_of_rule and not draft.rows()[1:]:
        return "The rule is empty: choose a building block and add it."
    try:
        draft.parse()
    except ParamsError as error:
        return "\n".join(map(str, error.problems))
    return ""
