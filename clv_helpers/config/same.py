"""A key for what is made once of a thing that does not change."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Same(Generic[T]):
    """A thing that does not change, as a key by which what is made of it is found again: equal only to itself."""

    def __init__(self, thing: T):
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)
