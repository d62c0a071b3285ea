"""Small groups do not leave: rows of fewer than `min_cell` people are taken out, and with them others by which they
could be worked out.

A line is what adds up: the cells along one column, with the others fixed, and their total. On each line on which
something is hidden, at least two cells are, `min_cell` people together, and beside a small one at least a quarter of
its own numbers (the threshold and p % rules of statistical offices). What is left is rounded (`charts.measures`), so
that a chain of several lines tells nothing either.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.rows import POPULATION, population
from clv_helpers.charts.spec import Widget
from clv_helpers.config.sql_params import NO_CATEGORY

if TYPE_CHECKING:
    import pandas as pd

# Counts of people beside a row's population: they too are shown only from `min_cell` on.
COUNTS = (*POPULATION, "customers_before", "opened", "opened_with_machines", "clicked")
# Shares of people by their parts: who counts in it, and of whom. Too few in it, or but few not in it, are few people.
RATES = {
    "rate": ("numerator", "denominator"),
    "low": ("numerator", "denominator"),
    "high": ("numerator", "denominator"),
    "open_rate": ("opened", "accepted"),
    "click_rate": ("clicked", "accepted"),
}
# Shares of a row's people whose part is in no column.
SHARES = ("share_active", "share_buying")
AUDIENCE = "audience"
TOTAL = "(all)"  # in the place of a column's value: the sum over all its values
TOTALS = (NO_CATEGORY, TOTAL)
MARGIN = 0.25  # of a small cell's numbers, that those hidden with it must at least hold
Cell = tuple[Hashable, ...]
Line = tuple[int, Cell]


def too_small(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.Series:
    """Which rows are about fewer than `min_cell` people, or show a share of which fewer are a part or the rest."""
    small = (counted(rows, widget).gt(0) & counted(rows, widget).lt(min_cell)).any(axis="columns")
    shown = {field.column for field in [*widget.fields, *widget.tooltip]}
    for name, (part, whole) in RATES.items():
        if name in shown and {part, whole} <= set(rows):
            for few in (rows[part], rows[whole] - rows[part]):
                small |= few.gt(0) & few.lt(min_cell)
    people = population(widget, list(rows.columns))
    for name in shown.intersection(SHARES, rows) if people in rows else ():
        few = fewer(rows[name], rows[people]).round()
        small |= few.gt(0) & few.lt(min_cell)
    return small.fillna(value=False).astype(bool)  # what nobody counted is not few


def fewer(share: pd.Series, people: pd.Series) -> pd.Series:
    """How many of the people make up a share, or do not: the fewer of the two."""
    share, people = share.astype(float), people.astype(float)
    return people * share.where(share < 0.5, 1 - share)


def counted(rows: pd.DataFrame, widget: Widget) -> pd.DataFrame:
    """The columns that count people, of those that are shown; the population always."""
    people = population(widget, list(rows.columns))
    shown = {people, *COUNTS} & {people, *(f.column for f in [*widget.fields, *widget.tooltip])}
    return rows[[name for name in rows if name in shown and people in rows]]


def overlap(rows: pd.DataFrame, widget: Widget) -> bool:
    """Whether the rows are audiences: who is in one may be in another, so their sizes add up to nothing."""
    return widget.mark == "venn" or (AUDIENCE in rows and rows[AUDIENCE].is_unique)


def complete(
    small: Collection[Cell],
    values: dict[Cell, float],
    min_cell: int,
    axes: Iterable[int] | None = None,
    by_size: Collection[int] = (),
    measures: Mapping[Cell, tuple[float, ...]] | None = None,
) -> set[Cell]:
    """The small cells, and those that are hidden with them.

    `values`: the people of each cell. `axes`: the places in a cell along which sums may be known; none: all. Along
    those of `by_size`, the smallest value overall is hidden first, whatever the cell: so that several charts hide the
    same categories. Along the others the cell of the fewest people is, of those whose other lines are broken already.
    Totals are hidden last. `measures`: what adds up beside the people. Cost: in proportion to the cells on the lines
    that are touched.

    Example:
        >>> sorted(complete({("a",)}, {("a",): 5, ("b",): 30, ("c",): 200}, 11))
        [('a',), ('b',)]
    """
    lines, lines_of = _lines(values, axes)
    sizes = _sizes(values)
    small = set(small)
    hidden, broken = set(small), Counter(line for cell in small for line in lines_of(cell))
    waiting = deque(line for cell in sorted(small, key=str) for line in lines_of(cell))
    while waiting:
        line = waiting.popleft()
        out = [cell for cell in lines[line] if cell in hidden]
        enough = len(out) >= 2 and sum(values[cell] for cell in out) >= min_cell
        if enough and _apart(out, small, measures or {}):
            continue
        rest = [cell for cell in lines[line] if cell not in hidden and values[cell] > 0]
        if not rest:
            continue

        def cost(cell: Cell, axis: int = line[0]) -> tuple[Any, ...]:
            new = sum(not broken[other] for other in lines_of(cell))
            order = (sizes[axis, cell[axis]], new) if axis in by_size else (new, 0)
            return (any(part in TOTALS for part in cell), *order, values[cell], str(cell))

        chosen = min(rest, key=cost)
        hidden.add(chosen)
        broken.update(lines_of(chosen))
        waiting.extend([line, *lines_of(chosen)])
    return hidden


def _apart(out: list[Cell], small: Collection[Cell], measures: Mapping[Cell, tuple[float, ...]]) -> bool:
    """Whether what is hidden beside each small cell is enough for its numbers not to be the whole of what is hidden."""
    sizes = [[abs(number) for number in measures[cell]] for cell in out if cell in measures]
    if not sizes:
        return True
    sums = [sum(column) for column in zip(*sizes, strict=True)]
    return all(
        total - own >= MARGIN * own
        for cell, numbers in zip(out, sizes, strict=True)
        if cell in small
        for own, total in zip(numbers, sums, strict=True)
    )


def _lines(
    values: dict[Cell, float], axes: Iterable[int] | None
) -> tuple[dict[Line, list[Cell]], Callable[[Cell], list[Line]]]:
    """The cells of each line, and what gives the lines on which a cell lies."""
    along = list(range(len(next(iter(values), ()))) if axes is None else axes)

    def lines_of(cell: Cell) -> list[Line]:
        return [(axis, (*cell[:axis], *cell[axis + 1 :])) for axis in along]

    lines: dict[Line, list[Cell]] = {}
    for cell in values:
        for line in lines_of(cell):
            lines.setdefault(line, []).append(cell)
    return lines, lines_of


def _sizes(values: dict[Cell, float]) -> Counter[tuple[int, Hashable]]:
    """The people of each value of each column, over all cells."""
    sizes: Counter[tuple[int, Hashable]] = Counter()
    for cell, people in values.items():
        for axis, part in enumerate(cell):
            sizes[axis, part] += people  # type: ignore[assignment]
    return sizes
