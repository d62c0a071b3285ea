"""A file being edited: its plain values, the selected place in it, and the changes that can be undone."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

Selected = TypeVar("Selected")


class Draft(Generic[Selected]):
    """The file as plain values, and what is selected in it. Moves call `remember` before they change anything."""

    def __init__(self, raw: dict[str, Any], selected: Selected):
        self.raw: dict[str, Any] = copy.deepcopy(raw)
        self.selected = selected
        self._past: list[tuple[dict[str, Any], Selected]] = []
        self._undone: list[tuple[dict[str, Any], Selected]] = []

    def remember(self) -> None:
        """Keep the state before a change, for `undo`; a hundred are kept."""
        self._past = [*self._past[-99:], self._state()]
        self._undone = []

    def undo(self) -> None:
        """Take the latest change back."""
        if self._past:
            self._undone.append(self._state())
            self.raw, self.selected = self._past.pop()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._undone:
            self._past.append(self._state())
            self.raw, self.selected = self._undone.pop()

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back that can be made again."""
        return bool(self._undone)

    def set_head(self, key: str, value: str, default: str = "") -> None:
        """A text of the whole file, such as its title; empty, and what holds by default, is not written."""
        if self.raw.get(key, default) != value:
            self.remember()
            self.raw = {**self.raw, key: value}
            if value in ("", default):
                del self.raw[key]

    def _state(self) -> tuple[dict[str, Any], Selected]:
        return copy.deepcopy(self.raw), self.selected
