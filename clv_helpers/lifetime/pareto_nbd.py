"""Purchases with a lifetime that may end at any moment: Pareto/NBD.

Schmittlein, Morrison & Colombo (1987), Counting Your Customers: Who Are They and What Will They Do Next?,
Management Science 33 (1). Purchase rates are Gamma(r, alpha), dropout rates Gamma(s, beta), both per week.
The likelihood's difference of two 2F1 is an integral over the moment of dropout between the last purchase and now.
Its integrand is positive and smooth, so Gauss-Legendre nodes give it to full precision where the difference gives NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, expit, gammaln, logsumexp

from clv_helpers.lifetime.counts import Histories

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2  # on [0, 1]
CHUNK = 20_000
NEGLIGIBLE = 45.0  # e^-45 is below what a double can tell from 0 beside 1


@dataclass(frozen=True)
class ParetoNBD:
    """The model, with the methods of beta_geometric.BetaGeometric."""

    name: str = "pareto_nbd"
    title: str = "Pareto/NBD"
    parameters: tuple[str, ...] = ("r", "alpha", "s", "beta")
    starts: tuple[tuple[float, ...], ...] = ((0.5, 10.0, 0.5, 10.0), (1.0, 20.0, 1.0, 50.0))

    def log_likelihood(self, theta: np.ndarray, histories: Histories) -> tuple[float, np.ndarray]:
        """The log-likelihood of all customers, and its gradient by the four parameters. Cost: 64 nodes per history."""
        value, gradient = 0.0, np.zeros(4)
        for start in range(0, len(histories.age), CHUNK):
            part = slice(start, start + CHUNK)
            terms = self._terms(
                theta, histories.frequency[part], histories.recency[part], histories.age[part], gradient=True
            )
            value += float(histories.customers[part] @ terms[0])
            gradient += np.array([float(histories.customers[part] @ term) for term in terms[1:]])
        return value, gradient

    def probability_alive(
        self, theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray
    ) -> np.ndarray:
        """The probability that a customer with this history has not dropped out yet."""
        frequency, recency, age = np.broadcast_arrays(frequency, recency, age)
        result = np.empty(len(age))
        for start in range(0, len(age), CHUNK):
            part = slice(start, start + CHUNK)
            alive, gone, _ = _paths(theta, frequency[part], recency[part], age[part])
            result[part] = expit(alive - logsumexp(gone, axis=1))
        return result

    def expected_if_alive(
        self, theta: np.ndarray, frequency: np.ndarray, age: np.ndarray, weeks: np.ndarray
    ) -> np.ndarray:
        """Purchases expected in the next `weeks` of a customer who is still there."""
        r, alpha, s, beta = theta
        log_stretch = np.log1p(weeks / (beta + age))
        power = (1.0 - s) * log_stretch
        # (1 - (1 + w)^(1 - s)) / (s - 1), which is log(1 + w) at s = 1
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(power == 0, 1.0, np.expm1(power) / np.where(power == 0, 1.0, power))
        return (r + frequency) / (alpha + age) * (beta + age) * log_stretch * share

    def purchase_if_alive(
        self, theta: np.ndarray, frequency: np.ndarray, age: np.ndarray, weeks: np.ndarray
    ) -> np.ndarray:
        """The probability of at least one purchase in the next `weeks` of a customer who is still there.

        The integral over the moment of the first purchase, weighted by not having dropped out before it.
        """
        r, alpha, s, beta = theta
        n, age, weeks = np.broadcast_arrays(r + frequency, age, weeks)
        smaller = min(alpha, beta)
        full = np.log1p(weeks / (smaller + age))
        rate = n * (smaller + age) / (alpha + age) + s * (smaller + age) / (beta + age)
        length = np.minimum(full, NEGLIGIBLE / rate)[..., None]
        passed = (smaller + age)[..., None] * np.expm1(length * NODES)
        until = (alpha + age)[..., None], (beta + age)[..., None]
        log_density = (
            -(n[..., None] + 1) * np.log1p(passed / until[0]) - s * np.log1p(passed / until[1])
            + length * NODES + np.log(smaller + age)[..., None] - np.log(until[0])
        )  # fmt: skip
        return n * (np.exp(log_density) * length * WEIGHTS).sum(axis=-1)

    def _terms(
        self, theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, gradient: bool
    ) -> list[np.ndarray]:
        """Each history's log-likelihood, and its derivatives by r, alpha, s, beta."""
        r, alpha, s, beta = theta
        n = r + frequency
        alive, gone, moments = _paths(theta, frequency, recency, age)
        paths = np.concatenate([alive[:, None], gone], axis=1)
        total = logsumexp(paths, axis=1)
        share = np.exp(paths - total[:, None])
        survives, dies = share[:, 0], share[:, 1:]
        until_purchase, until_dropout = np.log(alpha + moments), np.log(beta + moments)
        value = gammaln(n) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + total
        return [
            value,
            digamma(n) - digamma(r) + np.log(alpha)
            - survives * np.log(alpha + age) - (dies * until_purchase).sum(axis=1),
            r / alpha - n * (survives / (alpha + age) + (dies / (alpha + moments)).sum(axis=1)),
            np.log(beta) + (1 - survives) / s
            - survives * np.log(beta + age) - (dies * until_dropout).sum(axis=1),
            s / beta - s * survives / (beta + age) - (s + 1) * (dies / (beta + moments)).sum(axis=1),
        ]  # fmt: skip


def _paths(
    theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log weights of being alive, and of having dropped out at each node between last purchase and now; the nodes.

    Nodes are even in the log of the time, from the smaller of alpha and beta on; where the integrand has become
    negligible before now, they end there.
    """
    _, alpha, s, beta = theta
    n = theta[0] + frequency
    smaller = min(alpha, beta)
    full = np.log1p((age - recency) / (smaller + recency))
    rate = (n * (smaller + recency) / (alpha + recency)) + (s + 1) * (smaller + recency) / (beta + recency) - 1.0
    length = np.minimum(full, NEGLIGIBLE / np.maximum(rate, 1e-9))
    steps = length[:, None] * NODES
    moments = recency[:, None] + (smaller + recency)[:, None] * np.expm1(steps)
    with np.errstate(divide="ignore"):
        log_width = np.log(length)[:, None] + np.log(WEIGHTS) + steps + np.log(smaller + recency)[:, None]
    gone = np.log(s) - n[:, None] * np.log(alpha + moments) - (s + 1) * np.log(beta + moments) + log_width
    alive = -n * np.log(alpha + age) - s * np.log(beta + age)
    return alive, gone, moments


PARETO_NBD = ParetoNBD()
