"""The effect of a campaign, treated against control, estimated from sums that the engine made.

Analysed by intention to treat: everyone counts in the arm to which they were assigned, sent or not. Nothing is
winsorised. Strata are audience and value decile; the estimate is the mean over strata of the differences between the
arms, weighted by customers, with the variance of a stratified experiment (Miratrix, Sekhon & Yu 2013, "Adjusting
treatment effect estimates by post-stratification") and Satterthwaite's degrees of freedom. CUPED takes away what spend
before the campaign explains (Deng, Xu, Kohavi & Walker 2013, "Improving the sensitivity of online controlled
experiments by utilizing pre-experiment data"); its theta is the pooled slope within strata and arms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

CONFIDENCE, POWER = 0.95, 0.80
TREATED, CONTROL = ARMS = ("treated", "control")
SMALLEST_STRATUM = 5  # with fewer in an arm, strata are pooled
SUMS = ("customers", "converted", "bought_before", "messages", "sum_y", "sum_yy", "sum_x", "sum_xx", "sum_xy")


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Difference(Interval):
    """Treated less control, in the unit of the measure.

    `detectable` is the smallest true difference that groups of this size find with 80 % power at 95 % confidence.
    """

    detectable: float = math.nan


@dataclass(frozen=True)
class Estimate:
    """The mean of each arm, adjusted as the difference is, and the difference."""

    treated: float
    control: float
    difference: Difference


@dataclass(frozen=True)
class Balance:
    """How far the arms were apart before the campaign, in standard deviations; beyond 0.1 is worth a look."""

    spend_before: float = math.nan
    bought_before: float = math.nan
    decile: float = math.nan


@dataclass(frozen=True)
class Cells:
    """The sums by stratum (rows) and arm (columns: treated, control)."""

    customers: np.ndarray
    converted: np.ndarray
    bought_before: np.ndarray
    messages: np.ndarray
    sum_y: np.ndarray
    sum_yy: np.ndarray
    sum_x: np.ndarray
    sum_xx: np.ndarray
    sum_xy: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The share of the customers that each stratum holds."""
        return self.customers.sum(axis=1) / self.customers.sum()

    def stratum(self, index: int) -> Cells:
        """One stratum alone."""
        return Cells(**{name: getattr(self, name)[index : index + 1] for name in SUMS})


def as_cells(groups: pd.DataFrame) -> Cells:
    """Rows of outcome_group (one campaign) as cells. Strata with fewer than 5 in an arm are pooled."""
    import numpy as np

    _, audience = np.unique(groups["audience"].to_numpy(dtype=str), return_inverse=True)
    return pooled(_summed(groups, audience * 100 + groups["decile"].to_numpy()))


def by_decile(groups: pd.DataFrame) -> dict[int, Cells]:
    """The same by decile, each as one stratum, whatever the audience."""
    import numpy as np

    deciles = np.unique(groups["decile"].to_numpy())
    cells = _summed(groups, groups["decile"].to_numpy())
    return {int(decile): cells.stratum(index) for index, decile in enumerate(deciles)}


def _summed(groups: pd.DataFrame, strata: np.ndarray) -> Cells:
    import numpy as np

    known, row = np.unique(strata, return_inverse=True)
    column = (groups["arm"].to_numpy(dtype=str) == CONTROL).astype(int)
    sums = {name: np.zeros((len(known), 2)) for name in SUMS}
    for name in SUMS:
        np.add.at(sums[name], (row, column), groups[name].to_numpy(dtype=float))
    return Cells(**sums)


def pooled(cells: Cells) -> Cells:
    """Strata with fewer than 5 in an arm put together, and with the smallest other while they are still too few."""
    import numpy as np

    place = _places(cells.customers)
    sums = {name: np.zeros((max(place) + 1, 2)) for name in SUMS}
    for name in SUMS:
        np.add.at(sums[name], place, getattr(cells, name))
    return Cells(**sums)


def _places(customers: np.ndarray) -> list[int]:
    """Where each stratum goes: the small ones together, with the smallest other while they are still too few."""
    import numpy as np

    small = customers.min(axis=1) < SMALLEST_STRATUM
    for index in np.argsort(customers.min(axis=1)):
        if not small.any() or customers[small].sum(axis=0).min() >= SMALLEST_STRATUM:
            break
        small[index] = True
    place, kept = [], 0
    for is_small in small:
        place.append(-1 if is_small else kept)
        kept += not is_small
    return [kept if index < 0 else index for index in place]


def slope(cells: Cells) -> float:
    """CUPED's theta: how the outcome rises with spend before, within strata and arms; 0 where nothing varies."""
    import numpy as np

    n = np.maximum(cells.customers, 1)
    spread = (cells.sum_xx - cells.sum_x**2 / n).sum()
    shared = (cells.sum_xy - cells.sum_x * cells.sum_y / n).sum()
    return float(shared / spread) if spread > 1e-9 * max(cells.sum_xx.sum(), 1) else 0.0


def revenue(cells: Cells, theta: float = 0.0) -> Estimate:
    """The difference in mean outcome per customer; with a theta, adjusted by the covariate.

    Raises ValueError where a stratum has fewer than 2 customers in an arm.
    """
    import numpy as np
    from scipy.special import stdtrit

    n, weights = cells.customers, cells.weights
    if n.min() < 2:
        raise ValueError("a stratum has fewer than 2 customers in an arm")
    x_mean = cells.sum_x / n
    centre = (x_mean * n).sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True)
    mean = cells.sum_y / n - theta * (x_mean - centre)
    squares = (
        (cells.sum_yy - cells.sum_y**2 / n)
        - 2 * theta * (cells.sum_xy - cells.sum_x * cells.sum_y / n)
        + theta**2 * (cells.sum_xx - cells.sum_x**2 / n)
    )
    parts = weights[:, None] ** 2 * np.maximum(squares, 0) / (n - 1) / n
    variance = parts.sum()
    freedom = variance**2 / (parts**2 / (n - 1)).sum() if variance > 0 else 1.0
    treated, control = map(float, (weights[:, None] * mean).sum(axis=0))
    error = math.sqrt(variance)
    difference, half = treated - control, float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    return Estimate(treated, control, Difference(difference, difference - half, difference + half, _detectable(error)))


def conversion(cells: Cells) -> Estimate:
    """The difference in the share that bought, with Newcombe's interval (1998, method 10).

    Over several strata the shares are weighted by customers, and each arm counts as many customers as its weights leave
    it (Kish's effective size); over one stratum the interval is Newcombe's own.
    Raises ValueError where an arm is empty.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    n, weights = cells.customers, cells.weights
    if n.min() < 1:
        raise ValueError("a stratum has an arm without customers")
    rates = (weights[:, None] * cells.converted / n).sum(axis=0).clip(0, 1)
    sizes = 1 / (weights[:, None] ** 2 / n).sum(axis=0)
    hits = rates * sizes
    low, high = confint_proportions_2indep(hits[0], sizes[0], hits[1], sizes[1], method="newcomb", alpha=1 - CONFIDENCE)
    treated, control = map(float, rates)
    mean = float(cells.converted.sum() / n.sum())
    error = math.sqrt(mean * (1 - mean) * (1 / sizes[0] + 1 / sizes[1]))
    return Estimate(treated, control, Difference(treated - control, float(low), float(high), _detectable(error)))


def _detectable(error: float) -> float:
    """The smallest difference with this standard error that is found in four cases of five."""
    from scipy.special import ndtri

    return float(ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER)) * error


def sample_ratio_p(treated: int, control: int, control_share: float) -> float:
    """How likely so uneven a split is, had the assignment kept to its share (chi-square, 1 degree of freedom)."""
    from scipy.stats import chisquare

    total = treated + control
    return float(chisquare([treated, control], [total * (1 - control_share), total * control_share]).pvalue)


def balance(groups: pd.DataFrame) -> Balance:
    """The standardised differences of the arms before the campaign.

    Austin (2009), "Balance diagnostics for comparing the distribution of baseline covariates".
    """
    sums = groups.assign(
        decile_sum=groups["decile"] * groups["customers"], decile_squares=groups["decile"] ** 2 * groups["customers"]
    )
    sums = sums.groupby("arm").sum(numeric_only=True)

    def difference(total: str, squares: str) -> float:
        mean = sums[total] / sums["customers"]
        variance = (sums[squares] / sums["customers"] - mean**2).clip(lower=0)
        spread = math.sqrt(variance.mean())
        return float((mean[TREATED] - mean[CONTROL]) / spread) if spread > 0 else 0.0

    return Balance(
        spend_before=difference("sum_x", "sum_xx"),
        bought_before=difference("bought_before", "bought_before"),
        decile=difference("decile_sum", "decile_squares"),
    )


def qini(groups: pd.DataFrame) -> list[tuple[float, float]]:
    """Share of customers treated, from decile 1 on → revenue added so far, per customer treated (Radcliffe 2007).

    Empty where a decile has fewer than 5 customers in an arm: the curve would be a guess.
    """
    ranked = groups.assign(decile=groups["decile"].replace(0, 11))  # who was not ranked comes last
    n, y = (_by_arm(ranked, name) for name in ("customers", "sum_y"))
    if len(n) < 3 or n.to_numpy().min() < SMALLEST_STRATUM:
        return []
    so_far, spent = n.cumsum(), y.cumsum()
    added = (spent[TREATED] - spent[CONTROL] * so_far[TREATED] / so_far[CONTROL]) / n[TREATED].sum()
    share = so_far.sum(axis="columns") / n.to_numpy().sum()
    return [(0.0, 0.0), *zip(map(float, share), map(float, added), strict=True)]


def _by_arm(groups: pd.DataFrame, name: str) -> pd.DataFrame:
    """A sum with a row per decile and a column per arm."""
    wide = groups.pivot_table(index="decile", columns="arm", values=name, aggfunc="sum")
    return wide.reindex(columns=list(ARMS)).fillna(0)
