"""The season of what is ahead: by how much more, or less, is bought in a month than a model of even rates expects.

A month's factor is the ratio of its repeat purchases to the year centred on it, shrunk towards 1 by the noise of such a
ratio. Season and level (level.py) change the pace at which time passes for the models: in a month of factor 2, each day
is two. Factors are 1 on the mean, so a whole year stays as long as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import PURCHASE_DAY, Array
from clv_helpers.lifetime.records import Season

YEAR = 12
LEAST_MONTHS = 2 * YEAR
LEAST_PURCHASES = 30  # a month; of fewer the ratio is noise
SURE = 2.25  # times the noise: the 1 % point of F(11, ∞), above which even months do not vary by chance
LEAST_SEASON = 0.05  # the largest factor's distance from 1; less is not called a season
MOST_FACTOR = 4.0
LEAST_GAIN = 0.1
BY_MONTH = f"""
    WITH {PURCHASE_DAY},
    first_day AS (
        SELECT customer_id, MIN(day) AS first_on FROM purchase_day GROUP BY customer_id
    )
    SELECT
        EXTRACT(YEAR FROM p.day) * 12 + EXTRACT(MONTH FROM p.day) - 1 AS month,
        COUNT(*) AS purchases
    FROM purchase_day AS p
    JOIN first_day AS f ON f.customer_id = p.customer_id
    WHERE p.day > f.first_on
    GROUP BY EXTRACT(YEAR FROM p.day) * 12 + EXTRACT(MONTH FROM p.day) - 1
    ORDER BY month
"""


def month_factors(session: Session, until: dt.date) -> list[float]:
    """The factor of each calendar month, January first, by the whole months up to a day; [] where they tell none.

    Cost: a pass over the days.
    """
    rows = session.rows(BY_MONTH, until=until)
    found = {int(row["month"]): int(row["purchases"]) for row in rows}
    if not found:
        return []
    tomorrow = until + dt.timedelta(days=1)
    months = range(min(found) + 1, tomorrow.year * YEAR + tomorrow.month - 1)  # the first and the running are parts
    return factors([found.get(month, 0) for month in months], months.start % YEAR)


def factors(purchases: Sequence[int], first: int = 0) -> list[float]:
    """The factor of each calendar month, from the purchases of months in a row, of which the first is `first`, from 0.

    The logs of the ratios to the centred year (half of the months at both its ends) are averaged by calendar month, and
    shrunk by the share of their variance that is noise: of Poisson counts, or what years differ by, if that is more.
    [] for less than two years since the last month of few purchases, or factors that are all near 1.

    Example:
        >>> factors([100] * 36)
        []
        >>> year = [1_000] * 11 + [2_000]
        >>> [round(factor, 1) for factor in factors(3 * year)][-2:]
        [0.9, 1.8]
    """
    counts = np.asarray(purchases, float)
    few = np.flatnonzero(counts < LEAST_PURCHASES)
    begin = int(few[-1]) + 1 if len(few) else 0
    counts, first = counts[begin:], first + begin
    if len(counts) < LEAST_MONTHS:
        return []
    days = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    month = (first + np.arange(len(counts))) % YEAR
    pace = counts / days[month]
    weights = np.r_[0.5, np.ones(YEAR - 1), 0.5] / YEAR
    inside = slice(YEAR // 2, len(counts) - YEAR // 2)
    ratios, of = np.log(pace[inside] / np.convolve(pace, weights, "valid")), month[inside]
    years = np.bincount(of, minlength=YEAR)
    means = np.bincount(of, ratios, YEAR) / years
    noise = float(np.mean(np.bincount(of, 1 / counts[inside], YEAR) / years**2))
    if years.min() > 1:
        within = np.bincount(of, (ratios - means[of]) ** 2, YEAR) / (years - 1) / years
        noise = max(noise, float(within.mean()))
    means -= means.mean()
    spread = float(means @ means) / (YEAR - 1)
    if spread < SURE * noise or not spread:
        return []
    shrunk = np.exp(means * (1 - noise / spread))
    shrunk = np.clip(shrunk, 1 / MOST_FACTOR, MOST_FACTOR)
    shrunk *= days.sum() / (days @ shrunk)
    return [] if np.abs(shrunk - 1).max() < LEAST_SEASON else [float(factor) for factor in shrunk.round(4)]


def season_helped(tried: Sequence[Season]) -> bool:
    """Whether the season brought forecasts nearer at earlier cut-offs: on the mean by a tenth, and at most of them."""
    tried = [each for each in tried if each.seasonal is not None]
    if not tried:
        return False
    even, seasonal = (np.array([each.off(name) for each in tried]) for name in ("even", "seasonal"))
    return bool(seasonal.mean() < (1 - LEAST_GAIN) * even.mean() and (seasonal < even).mean() > 0.5)


def paced(days: Array | float, first: dt.date, of_months: Sequence[float], of_all: float = 1.0) -> Array:
    """How many days of even pace the next `days` are worth, from the day `first` on; parts of days count as parts.

    Example:
        >>> float(paced(31.0, dt.date(2025, 12, 1), [0.9] * 11 + [2.1]).round(1))
        65.1
    """
    ahead = np.asarray(days, float)
    if not of_months:
        return of_all * ahead
    whole = int(np.ceil(ahead.max(initial=0))) + 1
    dates = np.datetime64(first, "D") + np.arange(whole)
    pace = np.asarray(of_months)[dates.astype("datetime64[M]").astype(int) % YEAR]
    return of_all * np.interp(ahead, np.arange(whole + 1), np.r_[0.0, np.cumsum(pace)])
