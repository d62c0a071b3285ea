"""Static covariates of the purchase models: a factor on the purchase rate, and one on dropout, per level.

Fader & Hardie (2007), Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models; as in the R
package CLVTools (Bachmann & others). Purchase rates are Gamma(r, alpha exp(-γ'x)), which multiplies the mean rate by
exp(γ'x). Dropout rates of Pareto/NBD are Gamma(s, beta exp(-γ'x)); of BG/NBD and its kin, dropout probabilities are
Beta(a exp(γ'x), b), which multiplies the odds a/b. x says which level a customer has; the base level has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.lifetime.beta_geometric import BetaGeometric
from clv_helpers.lifetime.counts import Array, CellHistories, Index
from clv_helpers.lifetime.pareto_nbd import ParetoNBD
from clv_helpers.lifetime.records import Factor, Fit, Level

if TYPE_CHECKING:
    import pandas as pd

BASE = 16  # a cell's digits are the places of its levels
# The power of the factor by which each parameter is multiplied.
RATE, DROPOUT = {"alpha": -1}, {"a": 1, "beta": -1}
# The log of a factor is taken to be normal around 0 with this standard deviation, which keeps a level of which next to
# nothing is known near the base, and moves one of a hundred customers by next to nothing.
PRIOR = 1.0


@dataclass(frozen=True)
class WithCovariates:
    """A purchase model whose parameters depend on the levels; its own, then a rate and a dropout factor per level."""

    model: BetaGeometric | ParetoNBD
    levels: tuple[Level, ...]  # without those that are the base

    @property
    def name(self) -> str:
        """The name of the model itself."""
        return self.model.name

    @property
    def parameters(self) -> tuple[str, ...]:
        """The model's own, and those of the levels."""
        names = [f"{each.covariate} {each.level}" for each in self.levels]
        return (*self.model.parameters, *(f"rate {name}" for name in names), *(f"dropout {name}" for name in names))

    @property
    def starts(self) -> tuple[tuple[float, ...], ...]:
        """Where fits start: without any effect."""
        return tuple((*start, *[1.0] * (2 * len(self.levels))) for start in self.model.starts)

    def log_likelihood(self, theta: Array, histories: CellHistories) -> tuple[float, Array]:
        """The penalized log-likelihood of all customers, and its gradient. Cost: as of the model, cell by cell."""
        own, count = theta[: len(self.model.parameters)], len(self.levels)
        rates, dropouts = np.split(np.log(theta[len(own) :]), 2)
        powers = [np.array([of.get(name, 0) for name in self.model.parameters]) for of in (RATE, DROPOUT)]
        value = -float(rates @ rates + dropouts @ dropouts) / (2 * PRIOR**2)
        by_log = np.concatenate([np.zeros(len(own)), -rates / PRIOR**2, -dropouts / PRIOR**2])
        for cell, part in histories.by_cell.items():
            has = np.array([has_level(cell, level) for level in self.levels], float)
            there = own * np.exp(powers[0] * (has @ rates) + powers[1] * (has @ dropouts))
            of_part, gradient = self.model.log_likelihood(there, part)
            value += of_part
            by_log[: len(own)] += gradient * there
            by_log[len(own) : len(own) + count] += has * (powers[0] @ (gradient * there))
            by_log[len(own) + count :] += has * (powers[1] @ (gradient * there))
        return value, by_log / theta

    def told(self, fitted: Fit) -> Fit:
        """The fit with what belongs to the levels as its factors."""
        own, count = list(self.model.parameters), len(self.levels)
        of_levels = list(self.parameters[len(own) :])
        factors = [
            Factor(
                level.covariate, level.level, level.position, level.place,
                fitted.parameters[rate], fitted.parameters[dropout],
                rate_error=_relative(fitted, rate), dropout_error=_relative(fitted, dropout),
            )
            for level, rate, dropout in zip(self.levels, of_levels[:count], of_levels[count:], strict=True)
        ]  # fmt: skip
        return replace(
            fitted,
            parameters={name: fitted.parameters[name] for name in own},
            standard_errors={name: fitted.standard_errors[name] for name in own},
            intervals={name: fitted.intervals[name] for name in own},
            factors=factors,
        )


def _relative(fitted: Fit, name: str) -> float | None:
    """The standard error of the logarithm of a parameter."""
    error = fitted.standard_errors[name]
    return None if error is None else error / fitted.parameters[name]


def start_of(fitted: Fit) -> tuple[float, ...]:
    """Where a fit of nearly the same starts: where this one ended."""
    rates, dropouts = ([getattr(each, name) for each in fitted.factors] for name in ("rate", "dropout"))
    return (*fitted.theta, *rates, *dropouts)


def has_level(cell: int, level: Level | Factor) -> bool:
    """Whether the customers of a cell have a level.

    Example:
        >>> has_level(0x21, Level("country", "France", position=1, place=2, customers=90))
        True
    """
    return cell // BASE**level.position % BASE == level.place


def of_cell(fitted: Fit, cell: int) -> Fit:
    """The fit as it holds for the customers of a cell: without factors, which its parameters bear."""
    parts = [of_cell(part, cell) for part in fitted.parts]
    if not fitted.factors:
        return replace(fitted, parts=parts)
    has = [factor for factor in fitted.factors if has_level(cell, factor)]
    rate, dropout = (math.prod(getattr(factor, name) for factor in has) for name in ("rate", "dropout"))
    parameters = {
        name: value * rate ** RATE.get(name, 0) * dropout ** DROPOUT.get(name, 0)
        for name, value in fitted.parameters.items()
    }
    return replace(fitted, parameters=parameters, factors=[], parts=parts)


def by_cell(fitted: Fit, groups: pd.DataFrame) -> Iterator[tuple[int, Fit, Index]]:
    """Each cell, the fit as it holds there, and the places of its groups. Without cells: all are in one."""
    cells = groups["cell"].to_numpy() if "cell" in groups else np.zeros(len(groups), np.int32)
    for cell in np.unique(cells):
        yield int(cell), of_cell(fitted, int(cell)), np.flatnonzero(cells == cell)
