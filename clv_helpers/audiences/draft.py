"""An audience being edited: plain values, a selected place, and the moves of the builder, without any widget."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from clv_helpers import editors
from clv_helpers.audiences.rule import SOURCES, Audience
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.errors import UserError

Path = tuple[int, ...]
EMPTY: dict[str, Any] = {"title": "", "rule": {"all": []}}


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

    def compose(self, changes: dict[str, Any]) -> None:
        """Set keys of the composition; None takes one away."""
        raw = {name: each for name, each in {**self.raw, **changes}.items() if each is not None}
        if raw != self.raw:
            self.remember()
            self.raw = raw

    def select(self, place: Path) -> None:
        """Raises UserError for a row that is gone meanwhile."""
        if place not in {row.path for row in self.rows()}:
            raise UserError("This condition is no longer there.")
        self.selected = place

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

    def replace(self, part: dict[str, Any], is_typing: bool = False) -> None:
        """Put another condition or container in the place of the selected one; excluding stays.

        `is_typing`: the change before was of the same field, and is undone together with this one.
        """
        if not is_typing:
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
        if self.selected:
            self.remember()
            parent, index = self._parent(self.selected)
            self._take_out(parent[index])
            rows = {row.path for row in self.rows()}
            while self.selected not in rows:
                self.selected = self.selected[:-1]

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
        """Into the container that stands right above it, or with the condition above into a new one."""
        if not self.selected or not self.selected[-1]:
            return
        above = self.at((*self.selected[:-1], self.selected[-1] - 1))
        if not above.container:
            self.drop(above.path, "with")
        else:
            self.remember()
            parent, index = self._parent(self.selected)
            above.part[above.container].append(parent.pop(index))
            self.selected = (*above.path, len(above.part[above.container]) - 1)

    def drop(self, target: Path, where: str) -> None:
        """Move the selected row `before` or `after` another, `into` a container, or `with` a row into a new one."""
        target = tuple(target)
        if not self.selected or target[: len(self.selected)] == self.selected:
            return
        self.remember()
        parent, index = self._parent(self.selected)
        node = parent[index]
        parent[index] = left = {"left": True}  # so that the target stays where it is
        above, place = self._parent(target)
        if where == "into":
            row = self.at(target)
            row.part[row.container].append(node)
        elif where == "with":
            other = "any" if self.at(target[:-1]).container == "all" else "all"
            above[place] = {other: [above[place], node]}
        else:
            above.insert(place + (where == "after"), node)
        self._take_out(left)
        self.selected = self._path_of(node)

    def duplicate(self) -> None:
        """A copy of the selected row, right after it."""
        if self.selected:
            self.remember()
            parent, index = self._parent(self.selected)
            parent.insert(index + 1, copy.deepcopy(parent[index]))
            self.selected = (*self.selected[:-1], index + 1)

    def _take_out(self, node: dict[str, Any]) -> None:
        """Remove a row, and containers that are empty then."""
        path, emptied = self._path_of(node), True
        while emptied and path:
            parent, index = self._parent(path)
            del parent[index]
            path, emptied = path[:-1], not parent

    def _path_of(self, node: dict[str, Any]) -> Path:
        places = ((row.path, *self._parent(row.path)) for row in self.rows() if row.path)
        return next(path for path, parent, index in places if parent[index] is node)

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


def problem_of(draft: Draft) -> str:
    """What keeps a draft from being an audience, in a sentence; empty where nothing does."""
    if not draft.in_place_of_rule and not draft.rows()[1:]:
        return "The rule is empty: add a first condition."
    if not draft.raw.get("title"):
        return "Give the audience a title first."
    try:
        draft.parse()
    except ParamsError as error:
        return "\n".join(map(str, error.problems))
    return ""
