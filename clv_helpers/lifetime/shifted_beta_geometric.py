"""How long contracts are renewed: the shifted beta-geometric distribution.

Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21 (1), and (2010),
Customer-Base Valuation in a Contractual Setting, Marketing Science 29 (1). At each renewal a contract ends with a
probability of its own, which is Beta(alpha, beta) over contracts: those who are likely to leave do so first, so that
retention rises with the age of a cohort though nobody changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betaln, digamma

from clv_helpers.lifetime.counts import Array

NEGLIGIBLE = 1e-13


@dataclass(frozen=True)
class Contracts:
    """One element: contracts that were renewed as often (frequency) and then ended (lost 1) or still ran (0).

    customers: how many share it.
    """

    frequency: Array
    lost: Array
    customers: Array

    @cached_property
    def total(self) -> float:
        """How many contracts there are."""
        return float(self.customers.sum())


@dataclass(frozen=True)
class ShiftedBetaGeometric:
    """The model: the names of its parameters, where fits start, and the likelihood."""

    name: str = "shifted_beta_geometric"
    parameters: tuple[str, ...] = ("alpha", "beta")
    starts: tuple[tuple[float, ...], ...] = ((1.0, 2.0), (1.0, 20.0), (10.0, 100.0))

    def log_likelihood(self, theta: Array, contracts: Contracts) -> tuple[float, Array]:
        """The log-likelihood of all contracts, and its gradient by alpha and beta."""
        alpha, beta = theta
        ended, renewed = alpha + contracts.lost, beta + contracts.frequency
        both, prior = digamma(ended + renewed), digamma(alpha + beta)
        value = betaln(ended, renewed) - betaln(alpha, beta)
        gradient = [digamma(ended) - both - digamma(alpha) + prior, digamma(renewed) - both - digamma(beta) + prior]
        return float(contracts.customers @ value), np.array([float(contracts.customers @ part) for part in gradient])


SHIFTED_BETA_GEOMETRIC = ShiftedBetaGeometric()


def retention(theta: Array, renewals: Array) -> Array:
    """The probability that a contract is renewed once more after so many renewals."""
    alpha, beta = theta
    return (beta + renewals) / (alpha + beta + renewals)


def survival(theta: Array, renewals: Array) -> Array:
    """The share of new contracts that are renewed at least so often.

    Example:
        >>> survival(np.array([0.668, 3.806]), np.array([0, 1, 8])).round(3).tolist()  # the paper's high-end customers
        [1.0, 0.851, 0.46]
    """
    alpha, beta = theta
    return np.exp(betaln(alpha, beta + renewals) - betaln(alpha, beta))


def residual_renewals(theta: Array, most: int, discount: float) -> Array:
    """Renewals to come for good after 0 … most renewals, just before the next: each a period later counts `discount`.

    The paper's discounted expected residual lifetime, r(n) 2F1(1, beta + n + 1; alpha + beta + n + 1; discount), from
    its recurrence R(n) = r(n) (1 + discount R(n + 1)), which is exact for any parameters. NaN where it is infinite:
    nothing is discounted, and alpha is 1 or less.
    """
    alpha, beta = theta
    if discount >= 1:
        return (beta + np.arange(most + 1)) / (alpha - 1) if alpha > 1 else np.full(most + 1, np.nan)
    last = most + math.ceil(math.log(NEGLIGIBLE) / math.log(discount))
    rates = retention(theta, np.arange(last + 1.0))
    result, ahead = np.empty(most + 1), float(rates[-1] / (1 - discount * rates[-1]))
    for renewals in range(last, -1, -1):
        ahead = float(rates[renewals]) * (1 + discount * ahead)
        if renewals <= most:
            result[renewals] = ahead
    return result
