"""Small groups do not leave: rows of fewer than `min_cell` people are taken out, and with them the smallest others by
which they could be worked out.

The reader is taken to know every sum along a line: over one column, with the others fixed. A row taken out is safe
when, for all that these sums and the rows left say, it could hold `min_cell` people or more (Cox, 1980: complementary
cell suppression; what goes with them is chosen by linear programming, as Kelly, Golden and Assad did in 1992).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

from clv_helpers.charts.rows import POPULATION, population
from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import kind
from clv_helpers.config.sql_params import NO_CATEGORY

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

# Counts of people beside a row's population: they too are shown only from `min_cell` on.
COUNTS = (*POPULATION, "opened", "opened_with_machines", "clicked")
AUDIENCE = "audience"
NOBODY = 1e-6  # what rounding leaves of nobody
MOST_PROGRAM_CELLS = 40_000  # of all linear programs of a table together
MOST_PLACES = 1_000_000  # of the grid in which boxes are looked for
Cell = tuple[Hashable, ...]


def suppressed(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.DataFrame:
    """The rows that may be shown. Cost: nothing where no row is small; else see `complete`."""
    small = too_small(rows, widget, min_cell)
    if not small.any() or overlap(rows):
        return rows[~small]
    people = population(widget, list(rows.columns))
    shown = [f.column for f in widget.fields if not f.aggregate and kind(rows, f) != "quantitative"]
    keys = list(dict.fromkeys(shown))
    cells = list(rows[keys].itertuples(index=False, name=None)) if keys else [(i,) for i in range(len(rows))]
    parts = [i for i, cell in enumerate(cells) if NO_CATEGORY not in cell]  # a total is no part of itself
    values = {cells[i]: float(rows[people].iloc[i]) for i in parts}
    if len(values) < len(parts):  # the columns shown do not distinguish the rows: only the small ones can be judged
        return rows[~small]
    hidden = complete({cells[i] for i in parts if small.iloc[i]}, values, min_cell)
    return rows[[not small.iloc[i] and cell not in hidden for i, cell in enumerate(cells)]]


def too_small(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.Series:
    """Which rows are about fewer than `min_cell` people."""
    people = population(widget, list(rows.columns))
    shown = {people, *COUNTS} & {people, *(f.column for f in [*widget.fields, *widget.tooltip])}
    counted = [name for name in rows if name in shown] if people in rows else []
    return (rows[counted].gt(0) & rows[counted].lt(min_cell)).any(axis="columns")


def overlap(rows: pd.DataFrame) -> bool:
    """Whether the rows are audiences: who is in one may be in another, so their sizes add up to nothing."""
    return AUDIENCE in rows and rows[AUDIENCE].is_unique


def complete(small: set[Cell], values: dict[Cell, float], min_cell: int) -> set[Cell]:
    """The small cells and the fewest people hidden with them; all cells, where nothing less protects them.

    Cost: at 2,000 cells up to 20 linear programs, each of 20 to 100 ms; the fewer cells, the more. Beyond them the
    cheapest cube is hidden (Repsilber's hypercubes, 1994), which may be more than is needed, and never less.
    """
    hidden, table = set(small), _Table(values)
    programs = MOST_PROGRAM_CELLS // max(1, len(values))
    for cell in sorted(small, key=lambda cell: (values[cell], str(cell))):
        wanted = max(min_cell - values[cell], 1)
        cube = table.cheapest_cube(cell, hidden, wanted)
        if cube is not None and cube <= hidden:
            continue  # what is safe stays so: hiding more only widens bounds
        if programs > 0:
            programs -= 1
            cube = table.cheapest_move(cell, hidden, wanted)
        if cube is None:
            return set(values)
        hidden |= cube
    return hidden


class _Table:
    """Cells with their people, and what must be hidden for one of them to be safe."""

    def __init__(self, values: dict[Cell, float]):
        import numpy as np

        self.cells, self.people = list(values), np.array(list(values.values()), dtype=float)
        self.index = {cell: number for number, cell in enumerate(self.cells)}
        names = [{name: n for n, name in enumerate(dict.fromkeys(column))} for column in zip(*self.cells, strict=True)]
        self.places = np.array([[n[part] for n, part in zip(names, cell, strict=True)] for cell in self.cells])
        self.grid: np.ndarray | None = None  # by place in each column: the number of the cell, -1 where there is none
        if math.prod(map(len, names)) <= MOST_PLACES:
            self.grid = np.full([len(column) for column in names], -1)
            self.grid[tuple(self.places.T)] = range(len(self.cells))

    def _costs(self, hidden: set[Cell]) -> np.ndarray:
        """What hiding each cell would cost: its people, and nothing where it is hidden already."""
        costs = self.people + 1
        costs[[self.index[cell] for cell in hidden]] = 0
        return costs

    def cheapest_cube(self, cell: Cell, hidden: set[Cell], wanted: float) -> set[Cell] | None:
        """The corners of a box with the cell: people move along its edges, `wanted` to every other corner.

        None where no box has all its corners, or none has enough people to give.
        """
        import numpy as np

        own = self.places[self.index[cell]]
        opposite = self.places[(self.places != own).all(axis=1)]
        if self.grid is None or not len(opposite):
            return None
        costs, total, corners = self._costs(hidden), np.zeros(len(opposite)), []
        for swapped in itertools.product([False, True], repeat=len(own)):
            corner = self.grid[tuple(np.where(swapped, opposite, own).T)]
            gives = sum(swapped) % 2 == 1
            total += np.where((corner < 0) | (gives & (self.people[corner] < wanted)), np.inf, costs[corner])
            corners.append(corner)
        best = int(total.argmin())
        return None if total[best] == np.inf else {self.cells[corner[best]] for corner in corners}

    def cheapest_move(self, cell: Cell, hidden: set[Cell], wanted: float) -> set[Cell] | None:
        """The cells of the cheapest way to move people to a cell that changes no sum along a line; None: there is none.

        A cell that is hidden already costs nothing, any other one its people.
        """
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import hstack

        costs, target = self._costs(hidden), self.index[cell]
        least, most = np.zeros(len(costs)), self.people.copy()
        least[target], most[target] = wanted, 0  # it takes, and gives nothing
        low, high = np.concatenate([least, np.zeros(len(costs))]), np.concatenate([np.full(len(costs), np.inf), most])
        solution = linprog(
            np.concatenate([costs, costs]),
            A_eq=hstack([self.sums, -self.sums]),
            b_eq=np.zeros(self.sums.shape[0]),
            bounds=np.column_stack([low, high]),
        )
        if not solution.success:
            return None
        moved = solution.x[: len(costs)] + solution.x[len(costs) :]
        return {self.cells[number] for number in np.flatnonzero(moved > NOBODY)}

    @functools.cached_property
    def sums(self) -> csr_matrix:
        """A row for each line (one column left open, the others fixed): 1 at the cells that lie on it."""
        from scipy.sparse import csr_matrix

        lines: dict[Cell, int] = {}
        at = [
            (lines.setdefault((*cell[:open_], None, *cell[open_ + 1 :]), len(lines)), number)
            for number, cell in enumerate(self.cells)
            for open_ in range(len(cell))
        ]
        return csr_matrix(([1.0] * len(at), tuple(zip(*at, strict=True))), shape=(len(lines), len(self.cells)))
