"""The level of what is ahead: a forecast that came out too high, or too low, again and again is moved by as much.

A model of even rates does not see that all customers buy ever more rarely, or ever more often. The earlier cut-offs do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.lifetime.counts import Array
from clv_helpers.lifetime.records import Season

if TYPE_CHECKING:
    from clv_helpers.lifetime.origin_forecasts import Forecast

LEAST_DAYS = 360  # that cut-offs cover, no day twice: over less, a season looks the same
LEAST_GAIN = 0.5  # of the error, by what the other cut-offs missed; by chance alone one shop in two hundred has it
LEAST_LEVEL = 0.1  # less is within what the interval holds anyway
MOST_LEVEL = 2.0


@dataclass(frozen=True)
class Reach:
    """How far a forecast goes: the first day that is known, the day on which it is made, and days ahead."""

    first: dt.date
    made_on: dt.date
    days: int

    @property
    def lag(self) -> float:
        """Days from the middle of what a model is fitted on to the middle of what it forecasts.

        Where customers come evenly, those known are as many as the days so far: the middle of their purchases lies two
        thirds on.
        """
        return (self.made_on - self.first).days / 3 + self.days / 2


def level(made: Sequence[Forecast], near: Sequence[Season], model: str, ahead: Reach) -> float:
    """By how much more comes than a model forecasts, as a factor; 1 where earlier cut-offs do not say so.

    They do where all of them missed to one side, and the days from each to the next, which no two of them share, show
    it too: what the others missed, each left out in turn, takes LEAST_GAIN of the error away. A trend is missed by the
    lag of a forecast, so each miss (a log) is one by a day of lag; their mean is shrunk by the share that is noise.
    """
    rows = [
        row for row in made if row.model == model and row.measure == "purchases" and min(row.forecast, row.actual) > 0
    ]
    missed = np.array([np.log(row.actual / row.forecast) for row in rows])
    apart = np.array([each.missed for each in near if min(each.used, each.actual) > 0])
    if len(apart) < 3 or len(apart) * near[0].days < LEAST_DAYS:
        return 1.0
    one_side = abs(np.sign([*missed, apart.mean()]).sum()) == len(missed) + 1
    if not one_side or np.abs(left_out(apart)).mean() > (1 - LEAST_GAIN) * np.abs(apart).mean():
        return 1.0
    a_day = missed / [replace(ahead, made_on=row.cut_off, days=row.days).lag for row in rows]
    mean, noise = float(apart.mean()) ** 2, float(apart.var(ddof=1)) / len(apart)
    found = float(np.exp(a_day.mean() * ahead.lag * mean / (mean + noise)))
    return round(min(max(found, 1 / MOST_LEVEL), MOST_LEVEL), 4) if abs(found - 1) >= LEAST_LEVEL else 1.0


def left_out(missed: Array) -> Array:
    """Each less the mean of the others.

    Example:
        >>> left_out(np.array([1.0, 2.0, 3.0])).tolist()
        [-1.5, 0.0, 1.5]
    """
    return (missed - missed.mean()) * len(missed) / (len(missed) - 1)
