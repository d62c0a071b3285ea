"""Small groups do not leave: rows of fewer than `min_cell` people are taken out, and with them the smallest others by
which they could be worked out.

The reader is taken to know every sum along a line: over one column, with the others fixed. A row taken out is safe
when, for all that these sums and the rows left say, it could hold `min_cell` people or more (Cox, 1980: complementary
cell suppression; what goes with them is chosen by linear programming, as Kelly, Golden and Assad did in 1992).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.rows import POPULATION, population
from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import kind
from clv_helpers.config.sql_params import NO_CATEGORY

if TYPE_CHECKING:
    import pandas as pd

# Counts of people beside a row's population: they too are told only from `min_cell` on.
COUNTS = (*POPULATION, "opened", "opened_with_machines", "clicked")
AUDIENCE = "audience"
NOBODY = 1e-6  # what rounding leaves of nobody
Cell = tuple[Hashable, ...]


def suppressed(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.DataFrame:
    """The rows that may be shown. Cost: nothing where no row is small; else a linear program per small row."""
    small = too_small(rows, widget, min_cell)
    if not small.any() or overlap(rows):
        return rows[~small]
    people = population(widget, list(rows.columns))
    keys = [f.column for f in widget.fields if not f.aggregate and kind(rows, f) != "quantitative"]
    keys = list(dict.fromkeys(keys))
    cells = [tuple(row) for row in rows[keys].itertuples(index=False)] if keys else [(i,) for i in range(len(rows))]
    parts = [i for i, cell in enumerate(cells) if NO_CATEGORY not in cell]  # a total is no part of itself
    values = {cells[i]: float(rows[people].iloc[i]) for i in parts}
    if len(values) < len(parts):  # the columns shown do not tell the rows apart: only the small ones can be judged
        return rows[~small]
    hidden = complete({cells[i] for i in parts if small.iloc[i]}, values, min_cell)
    return rows[[not small.iloc[i] and cell not in hidden for i, cell in enumerate(cells)]]


def too_small(rows: pd.DataFrame, widget: Widget, min_cell: int) -> pd.Series:
    """Which rows tell of fewer than `min_cell` people."""
    people = population(widget, list(rows.columns))
    shown = [f.column for f in [*widget.fields, *widget.tooltip]] if people in rows else []
    counted = [people, *shown] if shown else []
    counted = [name for name in dict.fromkeys(counted) if name in rows and name in (people, *COUNTS)]
    return (rows[counted].gt(0) & rows[counted].lt(min_cell)).any(axis="columns")


def overlap(rows: pd.DataFrame) -> bool:
    """Whether the rows are audiences: who is in one may be in another, so their sizes add up to nothing."""
    return AUDIENCE in rows and rows[AUDIENCE].is_unique


def complete(small: set[Cell], values: dict[Cell, float], min_cell: int) -> set[Cell]:
    """The small cells and the fewest people hidden with them; all cells, where nothing less protects them."""
    hidden = set(small)
    for cell in sorted(small, key=lambda each: (values[each], str(each))):
        beside = _complement(cell, hidden, values, min_cell)  # what is safe stays so: hiding more only widens bounds
        if beside is None:
            return set(values)
        hidden |= beside
    return hidden


def _complement(cell: Cell, hidden: set[Cell], values: dict[Cell, float], min_cell: int) -> set[Cell] | None:
    """What else must be hidden for a cell to be safe: the cheapest way to move people to it that changes no sum.

    None where there is none. A cell that is hidden already costs nothing, any other one its people.
    """
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import hstack

    cells = list(values)
    held = np.array([values[each] for each in cells])
    costs = np.array([0.0 if each in hidden else values[each] + 1 for each in cells])
    wanted = max(min_cell - values[cell], 1)
    sums = _sums(cells)
    least = [wanted if each == cell else 0 for each in cells]
    more = [(low, None) for low in least]
    fewer = [(0, 0 if each == cell else value) for each, value in zip(cells, held, strict=True)]
    found = linprog(
        np.concatenate([costs, costs]), A_eq=hstack([sums, -sums]), b_eq=np.zeros(sums.shape[0]), bounds=more + fewer
    )
    if not found.success:
        return None
    moved = found.x[: len(cells)] + found.x[len(cells) :]
    return {each for each, people in zip(cells, moved, strict=True) if people > NOBODY}


def _sums(cells: list[Cell]) -> Any:
    """A matrix with a row for each line: 1 at the cells that lie on it."""
    from scipy.sparse import csr_matrix

    lines: dict[Cell, int] = {}
    at = [(lines.setdefault(line, len(lines)), i) for i, cell in enumerate(cells) for line in _lines_of(cell)]
    return csr_matrix(([1.0] * len(at), tuple(zip(*at, strict=True))), shape=(len(lines), len(cells)))


def _lines_of(cell: Cell) -> list[Cell]:
    """The lines through a cell: each of its columns left open in turn."""
    return [(*cell[:i], None, *cell[i + 1 :]) for i in range(len(cell))]
