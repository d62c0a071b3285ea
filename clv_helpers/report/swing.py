"""Whether a figure changed by more than it usually does, judged by its own weeks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

LEAST = 8  # stretches of the past, as long as the one judged and beside each other, by which it is judged
LEVEL = 0.95


def usual(weekly: Sequence[float], weeks: int) -> tuple[float, float] | None:
    """Between which shares a figure changes within so many weeks in 95 cases of 100, by its weeks before the last ones.

    `weekly`: the figure at each week's end, oldest first; its last `weeks` are what is judged, and not used. Stretches
    that overlap tell little more than those that do not, so only as many are counted. The interval is that of a normal
    prediction: mean ± t · s · √(1 + 1/n). None where the past holds fewer than eight such stretches, or a zero.

    Example:
        >>> low, high = usual([100 + week % 3 for week in range(60)], 1)
        >>> round(low, 2), round(high, 2)
        (-0.03, 0.03)
    """
    past = weekly[: len(weekly) - weeks]
    if weeks < 1 or len(past) <= weeks or min(past) <= 0:
        return None
    changes = [now / before - 1 for before, now in zip(past, past[weeks:], strict=False)]
    stretches = len(changes) // weeks
    if stretches < LEAST:
        return None
    from scipy import stats

    mean, spread = statistics.fmean(changes), statistics.stdev(changes)
    width = float(stats.t.ppf((1 + LEVEL) / 2, stretches - 1)) * spread * math.sqrt(1 + 1 / stretches)
    return mean - width, mean + width
