"""Numbers about people, as they may be shown: counts to the nearest five, sums and rates as exact as that allows.

The rule of higher education statistics (HESA's standard rounding: counts to the nearest 5), applied to every measure:
a number about n people is rounded as if half of five of them were unknown, so its step is at most 5 / n of it. What
two numbers of one report, or the same number of two reports, differ by then says nothing of one person. The step is
1, 2 or 5 times a power of ten, and the same for the same number wherever it stands.

Five is `min_cell // 2` at the default of 11. Where `min_cell` is 1, nothing is rounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def rounded(values: Any, people: Any, min_cell: int) -> np.ndarray:
    """Measures, each about so many people, rounded to a step of at most `min_cell // 2 / people` of itself.

    `people`: of a sum or a mean, those in it; of a count of people, the count itself; of a rate, the smaller of its
    numerator and the rest. Missing values stay missing. Whole numbers stay whole numbers.

    Example:
        >>> rounded([8_348_208.56, 8_348_208.56], [1_865, 12], 11).tolist()
        [8340000.0, 8000000.0]
    """
    import numpy as np

    given = np.asarray(values)
    numbers = given.astype(float)
    steps = _steps(np.abs(numbers), np.asarray(people, dtype=float), min_cell // 2)
    with np.errstate(invalid="ignore"):
        result = np.where(steps > 0, np.round(numbers / np.where(steps > 0, steps, 1)) * steps, numbers)
    result = np.where(np.abs(result) < 1e3, np.round(result, 12), result)  # 3 × 0.1 is 0.3
    return np.rint(result).astype(given.dtype) if np.issubdtype(given.dtype, np.integer) else result


def _steps(sizes: np.ndarray, people: np.ndarray, unknown: int) -> np.ndarray:
    """The largest of 1, 2 and 5 times a power of ten that is not above the value of `unknown` of its people; else 0."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        most = sizes * unknown / np.maximum(people, 1)
        power = np.power(10.0, np.floor(np.log10(most)))
        lead = most / power * (1 + 1e-9)
    step = np.select([lead >= 5, lead >= 2, lead >= 1], [5 * power, 2 * power, power], 0.0)
    return np.where(np.isfinite(most) & (most > 0), step, 0.0)


def people_text(count: float, min_cell: int) -> str:
    """How many people, to the nearest five; of fewer than `min_cell`, that they are fewer. Nobody is 0.

    Example:
        >>> [people_text(count, 11) for count in (0, 4, 1_868)]
        ['0', '<11', '1,870']
    """
    if 0 < count < min_cell:
        return f"<{min_cell}"
    return f"{rounded([float(count)], [count], min_cell)[0]:,.0f}"


def share_text(part: float, whole: float, min_cell: int, form: str = ".1%") -> str:
    """A share of people: where the part, or the rest, is fewer than `min_cell`, only that it is.

    Example:
        >>> [share_text(part, 584, 11) for part in (1, 146, 580, 0, 584)]
        ['<11 of 585', '25.0%', 'all but <11 of 585', '0.0%', '100.0%']
    """
    rest = whole - part
    if 0 < part < min_cell:
        return f"<{min_cell} of {people_text(whole, min_cell)}"
    if 0 < rest < min_cell:
        return f"all but <{min_cell} of {people_text(whole, min_cell)}"
    share = part / whole if whole else float("nan")
    return format(float(rounded([share], [min(part, rest) or whole], min_cell)[0]), form)
