"""Small groups do not leave: rows of fewer than `min_cell` people are taken out, and so many more that none of those
taken out can be worked out from the sums of what is left.

The reader is taken to know every sum along a line: over one column, with the others fixed. A row taken out is safe
when, for all that these sums and the rows left say, it could hold `min_cell` people or more (Cox, 1980: complementary
cell suppression; the bounds by linear programming).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING

from clv_helpers.bindings import NO_CATEGORY
from clv_helpers.charts.rows import POPULATION, population
from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import kind

if TYPE_CHECKING:
    import pandas as pd

# Counts of people beside a row's population: they too are told only from `min_cell` on.
COUNTS = (*POPULATION, "opened", "opened_with_machines", "clicked")
Cell = tuple[Hashable, ...]


def suppressed(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.DataFrame:
    """The rows that may be shown. Cost: nothing where no row is small; else a linear program or more per small row."""
    people = population(widget, list(rows.columns))
    if people is None or people not in rows or rows.empty:
        return rows
    keys = [f.column for f in widget.fields if not f.aggregate and kind(rows, f) != "quantitative"]
    keys = list(dict.fromkeys(keys))
    shown = [f.column for f in [*widget.fields, *widget.tooltip]]
    counted = [people, *(name for name in dict.fromkeys(shown) if name in COUNTS and name != people)]
    small = (rows[counted].gt(0) & rows[counted].lt(min_cell)).any(axis="columns")
    if not small.any():
        return rows
    cells = [tuple(row) for row in rows[keys].itertuples(index=False)] if keys else [(i,) for i in range(len(rows))]
    parts = [i for i, cell in enumerate(cells) if NO_CATEGORY not in cell]  # a total is no part of itself
    values = {cells[i]: float(rows[people].iloc[i]) for i in parts}
    if len(values) < len(parts):  # the columns shown do not tell the rows apart: only the small ones can be judged
        return rows[~small]
    hidden = complete({cells[i] for i in parts if small.iloc[i]}, values, min_cell)
    return rows[[not small.iloc[i] and cell not in hidden for i, cell in enumerate(cells)]]


def complete(small: set[Cell], values: dict[Cell, float], min_cell: int) -> set[Cell]:
    """The small cells and those hidden with them; all, where nothing less protects them."""
    hidden = set(small)
    for cell in sorted(small, key=lambda each: (values[each], str(each))):
        while not _is_safe(cell, hidden, values, min_cell):  # what is safe stays so: hiding more only widens bounds
            along = [c for line in _lines_of(cell) for c in values if c not in hidden and _on(c, line)]
            rest = along or [c for c in values if c not in hidden]
            if not rest:
                break
            hidden.add(min(rest, key=lambda c: (values[c], str(c))))
    return hidden


def most(cell: Cell, hidden: set[Cell], values: dict[Cell, float]) -> float:
    """The most that a hidden cell can hold, for who knows every sum along a line and all cells that are not hidden."""
    import numpy as np
    from scipy.optimize import linprog

    unknown = sorted(hidden, key=str)
    lines: dict[Cell, list[int]] = defaultdict(list)
    for index, each in enumerate(unknown):
        for line in _lines_of(each):
            lines[line].append(index)
    matrix = np.zeros((len(lines), len(unknown)))
    for row, members in enumerate(lines.values()):
        matrix[row, members] = 1
    sums = matrix @ [values[each] for each in unknown]
    aim = [-1.0 if each == cell else 0.0 for each in unknown]
    return float(-linprog(aim, A_eq=matrix, b_eq=sums, bounds=(0, None)).fun)


def _is_safe(cell: Cell, hidden: set[Cell], values: dict[Cell, float], min_cell: int) -> bool:
    """It could hold enough people, and more than it does: then what is left does not say what it holds."""
    enough = max(min_cell, values[cell] + 1) - 1e-6
    return _by_a_swap(cell, hidden, values) >= enough or most(cell, hidden, values) >= enough


def _by_a_swap(cell: Cell, hidden: set[Cell], values: dict[Cell, float]) -> float:
    """What a cell can hold at least: people moved to it along its row, and as many along another row, change no sum.

    Spares most of the linear programs.
    """
    if len(cell) != 2:
        return 0.0
    across = [each for each in hidden if each[0] == cell[0] and each != cell]
    down = [each for each in hidden if each[1] == cell[1] and each != cell]
    swaps = [min(values[a], values[d]) for a in across for d in down if (d[0], a[1]) in hidden]
    return values[cell] + max(swaps, default=0.0)


def _lines_of(cell: Cell) -> list[Cell]:
    """The lines through a cell: each of its columns left open in turn."""
    return [(*cell[:i], None, *cell[i + 1 :]) for i in range(len(cell))]


def _on(cell: Cell, line: Cell) -> bool:
    return all(fixed is None or fixed == part for part, fixed in zip(cell, line, strict=True))
