"""A view of the live board as the page's address holds it: boards that led to it, filters, what was picked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

BOARD, FILTER, DRILL, PICK = "board", "filter", "drill", "pick"
Pairs = list[tuple[str, str]]


@dataclass
class Step:
    """One board of the way that led to a view, as its address says it: by column, what filters and clicks named."""

    name: str
    filter: dict[str, list[str]] = field(default_factory=dict)
    drill: dict[str, list[str]] = field(default_factory=dict)
    pick: dict[str, list[str]] = field(default_factory=dict)


def text_of(value: Any) -> str:
    """A value as an address says it: 2 for the decile that a browser calls 2 and a table 2.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def pairs(kind: str, values: dict[str, Any]) -> Pairs:
    """What was narrowed to by a drill or a pick, by column."""
    return [(f"{kind}.{column}", text_of(value)) for column, value in values.items()]


def written(steps: list[Pairs]) -> str:
    """The address of a view.

    Example:
        >>> from clv_helpers.dashboards import address
        >>> address.written([[("board", "value"), ("filter.lookback", "6 months")]])
        'board=value&filter.lookback=6%20months'
    """
    return urlencode([pair for step in steps for pair in step], quote_via=quote)


def read(text: str) -> tuple[list[Step], list[str]]:
    """The boards of an address, and those of its parts that say nothing here.

    Example:
        >>> from clv_helpers.dashboards import address
        >>> address.read("board=decile&pick.region=Nordics&x=1")
        ([Step(name='decile', filter={}, drill={}, pick={'region': ['Nordics']})], ['x'])
    """
    steps: list[Step] = []
    strange: list[str] = []
    for key, value in parse_qsl(text):
        kind, _, column = key.partition(".")
        if key == BOARD:
            steps.append(Step(value))
        elif steps and column and kind in (FILTER, DRILL, PICK):
            getattr(steps[-1], kind).setdefault(column, []).append(value)
        else:
            strange.append(key or value)
    return steps, strange
