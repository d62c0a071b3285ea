"""The 80 % interval of each history's forecast: purchases within the horizon, and what they bring.

Exact within the models. The chance of j purchases or more has a closed form or one integral. Of j purchases, spend is
Gamma(p j, nu) with nu Gamma(q + p x, gamma + repeat spend), so that in units of the expected spend per purchase it is
(q + p x - 1) / p times a beta prime, which hangs on the history alone: one distribution serves all who share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc

from clv_helpers.lifetime.counts import DAYS_PER_WEEK, KEY, Array
from clv_helpers.lifetime.fitting import purchase_model
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.scoring import weeks_ahead

if TYPE_CHECKING:
    import pandas as pd

LOW, HIGH = 0.1, 0.9
EXACT = 64  # purchases are counted one by one up to here, then in steps of 3 %
NUMBERS = np.unique(
    np.concatenate([np.arange(1, EXACT + 1), np.geomspace(EXACT + 1, 100_000, 250).astype(int)])
).astype(float)
AT_ONCE = 16
RARE = 0.002  # a number of purchases that is less likely is left out
POINTS = 64  # at which the distribution of spend is read; between them, evenly in the logarithm
CHUNK = 20_000


def with_intervals(scored: pd.DataFrame, fitted: Fit, spend: Fit | None, days: float) -> pd.DataFrame:
    """The scored histories with the interval of what each may expect in the next `days`.

    purchases_low, purchases_high: of purchases come at most so many with a chance of 10 and of 90 %, or the next
    higher that a whole number allows. discounted_low, discounted_high: the same of spend, and discounted_spread its
    standard deviation, in units of the expected spend per purchase, discounted as discounted_purchases is. Without a
    model of spend each purchase brings the mean. Cost: some twenty numbers a history, and a thousand a frequency.
    """
    found = np.empty((len(scored), 5))
    frequency = scored["frequency"].to_numpy(float)
    # spend is told for frequencies that differ by 3 % at once
    block = np.searchsorted(NUMBERS, frequency, side="right")
    order = np.argsort(block, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            numbers, chance = at_least(fitted, scored.iloc[part], days)
            shape = _spend_shape(spend, float(np.append(0.0, NUMBERS)[block[part[0]]]))
            # read as far as each history alone needs: the same whichever others are scored with it
            far = _needed(chance)
            for columns in np.unique(far):
                same = far == columns
                found[part[same]] = _intervals(numbers[:columns], chance[same, :columns], shape)
    expected = scored["expected_purchases"].to_numpy()
    discount = np.divide(scored["discounted_purchases"], expected, out=np.ones(len(scored)), where=expected > 0)
    return scored.assign(
        purchases_low=found[:, 0].astype(np.int64),
        purchases_high=found[:, 1].astype(np.int64),
        discounted_low=found[:, 2] * discount,
        discounted_high=found[:, 3] * discount,
        discounted_spread=found[:, 4] * discount,
    )


def at_least(fitted: Fit, histories: pd.DataFrame, days: float) -> tuple[Array, Array]:
    """Numbers of purchases, and a row per history with the chance of so many or more in the next days.

    The last number is one that RARE histories reach.
    """
    model, theta = purchase_model(fitted), fitted.theta
    frequency, recency, age = (histories[name].to_numpy(float) for name in KEY)
    times = frequency, recency / DAYS_PER_WEEK, age / DAYS_PER_WEEK
    alive, shares = model.probability_alive(theta, *times), model.phase_shares(theta, *times)
    pairs, index = np.unique(np.stack([frequency, times[2]]), axis=1, return_inverse=True)
    weeks = float(weeks_ahead(fitted, days))
    parts: list[Array] = []
    for start in range(0, len(NUMBERS), AT_ONCE):
        numbers = NUMBERS[start : start + AT_ONCE]
        chance = np.zeros((len(frequency), len(numbers)))
        for phase, share in enumerate(shares):
            if_alive = model.at_least_if_alive(theta, pairs[0][:, None], pairs[1][:, None], weeks, numbers, phase)
            chance += (alive * share)[:, None] * if_alive[index.ravel()]
        parts.append(chance)
        if chance[:, -1].max() < RARE:
            break
    together = np.concatenate(parts, axis=1)
    return NUMBERS[: together.shape[1]], together


def _needed(chance: Array) -> Array:
    """How many numbers of purchases each history's distribution is read at: whole blocks, until one is rare."""
    width = chance.shape[1]
    ends = np.minimum(np.arange(AT_ONCE, width + AT_ONCE, AT_ONCE), width)
    rare = chance[:, ends - 1] < RARE
    return np.where(rare.any(axis=1), ends[rare.argmax(axis=1)], width)


def _spend_shape(spend: Fit | None, frequency: float) -> tuple[float, float] | None:
    """p, and q + p x, of who came back x times; None where there is no model of spend, or no mean in it."""
    if spend is None:
        return None
    p, q = (float(value) for value in spend.theta[:2])
    frequency += spend.of_first
    return (p, q + p * frequency) if q + p * frequency > 1 else None


def _intervals(numbers: Array, chance: Array, shape: tuple[float, float] | None) -> Array:
    """One row: a history, with low and high of purchases, and low, high and standard deviation of spend."""
    ends = np.append(numbers[1:], numbers[-1] + 1) - 1
    # the number that is exceeded with a chance of 1 - level or less
    low, high = (np.append(0.0, ends)[(chance > 1 - level).sum(axis=1)] for level in (LOW, HIGH))
    if shape is None:
        widths = ends - numbers + 1
        mean = chance @ widths
        square = chance @ (ends * (ends + 1) - numbers * (numbers - 1))
        return np.stack([low, high, low, high, np.sqrt(np.maximum(square - mean**2, 0))], axis=1)
    points = np.geomspace(0.01, 8 * numbers[-1], POINTS)
    more = -np.diff(np.append(chance, np.zeros((len(chance), 1)), axis=1), axis=1) @ _spends_more(
        (numbers + ends) / 2, points, *shape
    )
    widths = np.diff(points, prepend=0.0, append=points[-1])
    weights = (
        widths[:-1] + widths[1:]
    ) / 2  # of the trapezoidal rule; what lies below the first point adds next to nothing
    mean, square = more @ weights, more @ (2 * points * weights)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.stack([low, high, *(_crossing(points, more, 1 - level) for level in (LOW, HIGH)), spread], axis=1)


def _spends_more(numbers: Array, points: Array, p: float, rest: float) -> Array:
    """The chance that so many purchases (a row) bring more than so many times the expected spend (a column)."""
    odds = points * p / (rest - 1)
    return betainc(rest, p * numbers[:, None], 1 / (1 + odds))


def _crossing(points: Array, more: Array, level: float) -> Array:
    """Where each row falls to the level; 0 where it is below from the start."""
    after = (more > level).sum(axis=1)
    right = np.clip(after, 1, len(points) - 1)
    rows = np.arange(len(more))
    above, below = more[rows, right - 1], more[rows, right]
    part = np.clip((above - level) / np.maximum(above - below, 1e-300), 0, 1)
    logs = np.log(points)
    return np.where(after == 0, 0.0, np.exp(logs[right - 1] + part * (logs[right] - logs[right - 1])))
