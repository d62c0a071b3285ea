"""The effect of a campaign by value decile: do deciles differ, where is it shown, and what to expect of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv_helpers.campaigns.estimates import (
    TAIL,
    Cells,
    Difference,
    as_difference,
    differences,
    enough_buyers,
    relative_variance,
)

if TYPE_CHECKING:
    import numpy as np


# To write again asks for more than a 95 % interval, so that of campaigns without effect fewer than 3 % are recommended.
GAIN_TAIL, HETEROGENEITY_ALERT = 0.015, 0.005


@dataclass(frozen=True)
class Strata:
    """The effects of the deciles: `known` where enough bought; their intervals hold all at once in 95 of 100 campaigns.

    `tail`: what each interval leaves out on a side. `heterogeneity_p`: how likely the known ones are so far apart, had
    all the same effect; NaN of one. `shrunken`: the estimate that decides, of every decile.
    """

    known: np.ndarray
    effects: list[Difference]
    tail: float
    heterogeneity_p: float
    shrunken: np.ndarray

    def shows_gain(self, whole: Difference) -> bool:
        """Whether to write again at all: the whole effect's 97 % interval is above zero, or that of one decile."""
        from scipy.special import ndtri

        low = whole.estimate - (whole.estimate - whole.low) * float(ndtri(GAIN_TAIL) / ndtri(TAIL))
        some = any(effect.low > 0 for effect in self.effects)
        return low > 0 or (self.heterogeneity_p < HETEROGENEITY_ALERT and some)


def effects_by_decile(deciles: np.ndarray, cells: Cells, theta: float, whole_tail: float = TAIL) -> Strata:
    """The effect of a campaign in each decile. The tail is Bonferroni's over the deciles that are known."""
    from scipy.special import ndtri

    known = enough_buyers(cells)
    tail = whole_tail / max(int(known.sum()), 1)
    quantile = float(ndtri(1 - tail))
    means, variances = differences(cells, theta, relative_variance(cells))
    estimates, variance = means[:, 0] - means[:, 1], variances.sum(axis=1)
    effects = [
        as_difference(estimate, of, quantile) if is_known else Difference()
        for estimate, of, is_known in zip(estimates, variance, known, strict=True)
    ]
    shared = differences(cells, theta, relative_variance(cells.together))[1].sum(axis=1)
    return Strata(
        known=known,
        effects=effects,
        tail=tail,
        heterogeneity_p=heterogeneity_p(estimates[known], variance[known]),
        shrunken=shrunken(deciles, estimates, shared, cells),
    )


def heterogeneity_p(estimates: np.ndarray, variances: np.ndarray) -> float:
    """Cochran's Q (1954): how likely estimates are so far apart, had all the same true value; NaN of fewer than two."""
    from scipy.special import chdtrc

    if len(estimates) < 2 or not variances.min() > 0:
        return math.nan
    middle = (estimates / variances).sum() / (1 / variances).sum()
    return float(chdtrc(len(estimates) - 1, ((estimates - middle) ** 2 / variances).sum()))


def shrunken(deciles: np.ndarray, estimates: np.ndarray, variances: np.ndarray, cells: Cells) -> np.ndarray:
    """Empirical Bayes: each decile's estimate drawn towards a line over the deciles, as far as its noise asks.

    The line is drawn towards the overall effect in its turn (Efron & Morris 1975); how far deciles lie from it in truth
    is DerSimonian & Laird's moment estimate (1986). Who has no decile (0) is drawn towards the overall effect alone.
    """
    import numpy as np

    usable = (cells.customers.min(axis=1) >= 2) & (variances > 0)
    ranked = usable & (deciles > 0)
    overall = np.full(len(deciles), np.average(estimates[usable], weights=cells.customers.sum(axis=1)[usable]))
    if ranked.sum() < 3:
        return overall
    weights = np.where(ranked, 1 / np.where(variances > 0, variances, 1), 0)
    place = deciles - (weights * deciles).sum() / weights.sum()
    spread = (weights * place**2).sum()
    rise = (weights * place * estimates).sum() / spread
    rise *= max(0.0, 1 - 1 / (spread * rise**2)) if rise else 0.0
    size = np.where(ranked, cells.customers.sum(axis=1), 0)
    line = overall + np.where(deciles > 0, rise * (deciles - np.average(deciles, weights=size)), 0)
    apart = (weights * (estimates - line) ** 2).sum() - (ranked.sum() - 2)
    between = max(0.0, apart / (weights.sum() - (weights**2).sum() / weights.sum()))
    trusted = between / (between + np.where(usable, variances, 1))
    return np.where(usable, line + trusted * (estimates - line), line)
