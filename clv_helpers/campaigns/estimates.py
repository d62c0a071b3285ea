"""What a campaign added: those drawn for it against those held back at random, from sums that the engine made.

Analysed by intention to treat: everyone assigned counts in the arm to which they were drawn, sent or not. Nothing is
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

Z = 1.959964  # 95 %, two-sided
Z_POWER = 0.841621  # 80 % power
SMALLEST_STRATUM = 5  # with fewer in an arm, strata are pooled
SUMS = ("customers", "converted", "bought_before", "messages", "sum_y", "sum_yy", "sum_x", "sum_xx", "sum_xy")


@dataclass(frozen=True)
class Estimate:
    """A difference between treated and control, in the unit of the measure, with its 95 % interval.

    `detectable` is the smallest true difference that a group of this size finds with 80 % power at 95 % confidence.
    """

    treated: float
    control: float
    difference: float
    low: float
    high: float
    detectable: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


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
    column = (groups["arm"].to_numpy(dtype=str) == "control").astype(int)
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
    return [kept if each < 0 else each for each in place]


def slope(cells: Cells) -> float:
    """CUPED's theta: how the outcome rises with spend before, within strata and arms; 0 where nothing varies."""
    import numpy as np

    n = np.maximum(cells.customers, 1)
    spread = (cells.sum_xx - cells.sum_x**2 / n).sum()
    shared = (cells.sum_xy - cells.sum_x * cells.sum_y / n).sum()
    return float(shared / spread) if spread > 1e-9 * max(cells.sum_xx.sum(), 1) else 0.0


def revenue(cells: Cells, theta: float = 0.0) -> Estimate | None:
    """The difference in mean outcome per customer; with a theta, adjusted by the covariate. None: too few in an arm."""
    import numpy as np
    from scipy.special import stdtrit

    n, weights = cells.customers, cells.weights
    if n.min() < 2:
        return None
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
    arms = (weights[:, None] * mean).sum(axis=0)
    error = math.sqrt(variance)
    difference, half = float(arms[0] - arms[1]), float(stdtrit(freedom, 0.975)) * error
    return Estimate(
        float(arms[0]), float(arms[1]), difference, difference - half, difference + half, (Z + Z_POWER) * error
    )


def conversion(cells: Cells) -> Estimate | None:
    """The difference in the share that bought: Newcombe's interval (1998, method 10) from Wilson's of each arm.

    Over several strata the shares are weighted by customers, and each arm counts as many customers as its weights leave
    it (Kish's effective size); over one stratum the interval is Newcombe's own. None where an arm is empty.
    """
    n, weights = cells.customers, cells.weights
    if n.min() < 1:
        return None
    rates = (weights[:, None] * cells.converted / n).sum(axis=0)
    sizes = 1 / (weights[:, None] ** 2 / n).sum(axis=0)
    (low_t, high_t), (low_c, high_c) = (wilson(rate, size) for rate, size in zip(rates, sizes, strict=True))
    treated, control = map(float, rates)
    difference = treated - control
    mean = float(cells.converted.sum() / n.sum())
    error = math.sqrt(mean * (1 - mean) * (1 / sizes[0] + 1 / sizes[1]))
    return Estimate(
        treated,
        control,
        difference,
        difference - math.hypot(treated - low_t, high_c - control),
        difference + math.hypot(high_t - treated, control - low_c),
        (Z + Z_POWER) * error,
    )


def wilson(rate: float, size: float) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    z_squared = Z**2 / size
    middle = rate + z_squared / 2
    half = math.sqrt(z_squared * (rate * (1 - rate) + z_squared / 4))
    return max((middle - half) / (1 + z_squared), 0.0), min((middle + half) / (1 + z_squared), 1.0)


def sample_ratio_p(treated: int, control: int, control_share: float) -> float:
    """How likely so uneven a split is, had the draw kept to its share (chi-square, 1 degree of freedom)."""
    total = treated + control
    expected = total * control_share
    chi_square = (control - expected) ** 2 / expected + (control - expected) ** 2 / (total - expected)
    return math.erfc(math.sqrt(chi_square / 2))


def standardised_differences(groups: pd.DataFrame) -> dict[str, float]:
    """How far the arms were apart before the campaign, in standard deviations; beyond 0.1 is worth a look.

    Austin (2009), "Balance diagnostics for comparing the distribution of baseline covariates".
    """
    arms = groups.assign(
        decile_sum=groups["decile"] * groups["customers"], decile_squares=groups["decile"] ** 2 * groups["customers"]
    )
    arms = arms.groupby("arm").sum(numeric_only=True)
    measures = {
        "spend before": ("sum_x", "sum_xx"),
        "bought before": ("bought_before", "bought_before"),
        "decile": ("decile_sum", "decile_squares"),
    }
    found = {}
    for name, (total, squares) in measures.items():
        mean = arms[total] / arms["customers"]
        variance = (arms[squares] / arms["customers"] - mean**2).clip(lower=0)
        spread = math.sqrt(variance.mean())
        found[name] = float((mean["treated"] - mean["control"]) / spread) if spread > 0 else 0.0
    return found


def qini(by_decile: pd.DataFrame) -> list[tuple[float, float]]:
    """Share of customers reached from decile 1 on → revenue added so far, per customer of all treated (Radcliffe 2007).

    Empty where a decile has fewer than 5 customers in an arm: the curve would be a guess.
    """
    ranked = by_decile.assign(decile=by_decile["decile"].replace(0, 11))  # who was not ranked comes last
    wide = ranked.pivot_table(index="decile", columns="arm", values=["customers", "sum_y"], aggfunc="sum").fillna(0)
    n = wide["customers"].reindex(columns=["treated", "control"], fill_value=0)
    if len(n) < 3 or n.to_numpy().min() < SMALLEST_STRATUM:
        return []
    reached, y = n.cumsum(), wide["sum_y"].cumsum()
    added = (y["treated"] - y["control"] * reached["treated"] / reached["control"]) / n["treated"].sum()
    share = reached.sum(axis=1) / n.to_numpy().sum()
    return [(0.0, 0.0), *zip(map(float, share), map(float, added), strict=True)]
