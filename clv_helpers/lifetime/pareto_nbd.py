"""Purchases with a lifetime that may end at any moment: Pareto/NBD.

Schmittlein, Morrison & Colombo (1987), Counting Your Customers: Who Are They and What Will They Do Next?,
Management Science 33 (1). Purchase rates are Gamma(r, alpha), dropout rates Gamma(s, beta), both per week.
The likelihood's difference of two 2F1 is an integral over the moment of dropout between the last purchase and now.
Its integrand is positive and smooth, so Gauss-Legendre nodes give it to full precision where the difference gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, digamma, gammaln

from clv_helpers.lifetime.counts import Array, Histories, Index

Rule = tuple[Array, Array]  # nodes and weights on [0, 1]
FEW, MANY = ((nodes / 2 + 0.5, weights / 2) for nodes, weights in map(np.polynomial.legendre.leggauss, (20, 64)))
CHUNK = 1_000  # rows whose nodes fit into a processor's cache: twice as fast as all at once
NEGLIGIBLE = 45.0  # e^-45 is below what a double can tell from 0 beside 1


@dataclass(frozen=True)
class ParetoNBD:
    """The model, with the methods of beta_geometric.BetaGeometric."""

    name: str = "pareto_nbd"
    k: int = 1
    parameters: tuple[str, ...] = ("r", "alpha", "s", "beta")
    starts: tuple[tuple[float, ...], ...] = ((0.5, 10.0, 0.5, 10.0), (1.0, 20.0, 1.0, 50.0))

    def log_likelihood(self, theta: Array, histories: Histories) -> tuple[float, Array]:
        """The log-likelihood of all customers, and its gradient by the four parameters. Cost: 20 or 64 nodes each."""
        value, gradient = 0.0, np.zeros(4)
        frequency, recency, age = histories.frequency, histories.recency, histories.age
        for part, rule in _parts(theta, frequency, recency, age):
            terms = self._terms(theta, frequency[part], recency[part], age[part], rule)
            value += float(histories.customers[part] @ terms[0])
            gradient += np.array([float(histories.customers[part] @ term) for term in terms[1:]])
        return value, gradient

    def probability_alive(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """The probability that a customer with this history has not dropped out yet."""
        frequency, recency, age = np.broadcast_arrays(frequency, recency, age)
        result = np.empty(len(age))
        for part, rule in _parts(theta, frequency, recency, age):
            paths = _paths(theta, frequency[part], recency[part], age[part], rule)
            result[part] = _shares(paths)[1]
        return result

    def phase_shares(self, _: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """One row of ones: purchases come at random, in one phase."""
        return np.ones((1, *np.broadcast_shapes(np.shape(frequency), np.shape(recency), np.shape(age))))

    def expected_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array, _: int = 0) -> Array:
        """Purchases expected in the next `weeks` of a customer who is still there."""
        r, alpha, s, beta = theta
        log_stretch = np.log1p(weeks / (beta + age))
        power = (1.0 - s) * log_stretch
        # (1 - (1 + w)^(1 - s)) / (s - 1), which is log(1 + w) at s = 1
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(power == 0, 1.0, np.expm1(power) / np.where(power == 0, 1.0, power))
        return (r + frequency) / (alpha + age) * (beta + age) * log_stretch * share

    def purchase_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array, _: int = 0) -> Array:
        """The probability of at least one purchase in the next `weeks` of a customer who is still there.

        The integral over the moment of the first purchase, weighted by not having dropped out before it.
        """
        return _in_parts(CHUNK, lambda *part: _come_once(theta, *part), frequency, age, weeks)

    def at_least_if_alive(
        self, theta: Array, frequency: Array, age: Array, weeks: float, purchases: Array, _: int = 0
    ) -> Array:
        """The probability of so many purchases or more in the next `weeks` of a customer who is still there.

        The integral over the moment of the last of them, weighted by not having dropped out before it.
        """
        at_once = max(1, CHUNK // np.size(purchases))
        return _in_parts(at_once, lambda *part: _come(theta, weeks, purchases, *part), frequency, age)

    def _terms(self, theta: Array, frequency: Array, recency: Array, age: Array, rule: Rule) -> list[Array]:
        """Each history's log-likelihood, and its derivatives by r, alpha, s, beta."""
        r, alpha, s, beta = theta
        n = r + frequency
        paths = _paths(theta, frequency, recency, age, rule)
        total, survives, dies = _shares(paths)
        value = gammaln(n) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + total
        return [
            value,
            digamma(n) - digamma(r) + np.log(alpha)
            - survives * np.log(alpha + age) - np.vecdot(dies, paths.log_purchase),
            r / alpha - n * (survives / (alpha + age) + (dies / paths.purchase_by).sum(axis=1)),
            np.log(beta) + (1 - survives) / s
            - survives * np.log(beta + age) - np.vecdot(dies, paths.log_dropout),
            s / beta - s * survives / (beta + age) - (s + 1) * (dies / paths.dropout_by).sum(axis=1),
        ]  # fmt: skip


def _in_parts(at_once: int, formula: Callable[..., Array], *columns: Array) -> Array:
    """A formula of each row, for so many rows at once."""
    columns = np.broadcast_arrays(*columns)
    starts = range(0, max(len(columns[0]), 1), at_once)
    return np.concatenate([formula(*(column[start : start + at_once] for column in columns)) for start in starts])


def _come_once(theta: Array, frequency: Array, age: Array, weeks: Array) -> Array:
    """The integral of purchase_if_alive."""
    r, alpha, s, beta = theta
    n = r + frequency
    smaller = min(alpha, beta)
    full = np.log1p(weeks / (smaller + age))
    rate = n * (smaller + age) / (alpha + age) + s * (smaller + age) / (beta + age)
    length = np.minimum(full, NEGLIGIBLE / rate)[..., None]
    passed = (smaller + age)[..., None] * np.expm1(length * MANY[0])
    until = (alpha + age)[..., None], (beta + age)[..., None]
    log_density = (
        -(n[..., None] + 1) * np.log1p(passed / until[0]) - s * np.log1p(passed / until[1])
        + length * MANY[0] + np.log(smaller + age)[..., None] - np.log(until[0])
    )  # fmt: skip
    return n * (np.exp(log_density) * length * MANY[1]).sum(axis=-1)


def _come(theta: Array, weeks: float, purchases: Array, frequency: Array, age: Array) -> Array:
    """The integral of at_least_if_alive; what is the same for all numbers of purchases is computed once."""
    r, alpha, s, beta = theta
    n, age, purchases = (r + frequency)[..., None], age[..., None], purchases[..., None]
    length = np.log1p(weeks / (alpha + age))
    nodes = length * MANY[0]
    one_came = np.log(-np.expm1(-nodes))
    stays = -n * nodes - s * np.log1p((alpha + age) * np.expm1(nodes) / (beta + age))
    density = np.exp((purchases - 1) * one_came + stays - betaln(purchases, n))
    return np.vecdot(density, MANY[1]) * length[..., 0]


class _Paths(NamedTuple):
    """Log weights of being alive, and of having dropped out at each node between last purchase and now.

    Also alpha and beta plus the moment of each node, and their logs.
    """

    alive: Array
    gone: Array
    purchase_by: Array
    dropout_by: Array
    log_purchase: Array
    log_dropout: Array


def _shares(paths: _Paths) -> tuple[Array, Array, Array]:
    """The log of all paths' weight, and the shares of being alive and of having dropped out at each node."""
    top = np.maximum(paths.alive, paths.gone.max(axis=1))
    survives, dies = np.exp(paths.alive - top), np.exp(paths.gone - top[:, None])
    total = survives + dies.sum(axis=1)
    dies /= total[:, None]
    return top + np.log(total), survives / total, dies


def _parts(theta: Array, frequency: Array, recency: Array, age: Array) -> Iterator[tuple[Index, Rule]]:
    """The rows in parts that fit into memory, with the rule that is exact for them."""
    r, alpha, s, beta = theta
    falls = (r + frequency) * np.log1p((age - recency) / (alpha + recency))
    falls = falls + (s + 1) * np.log1p((age - recency) / (beta + recency))
    easy = (falls < 12) & (_length(theta, frequency, recency, age)[0] < 4)
    for rows, rule in ((np.flatnonzero(easy), FEW), (np.flatnonzero(~easy), MANY)):
        for start in range(0, len(rows), CHUNK):
            yield rows[start : start + CHUNK], rule


def _paths(theta: Array, frequency: Array, recency: Array, age: Array, rule: Rule) -> _Paths:
    """Nodes are even in the log of the time, from the smaller of alpha and beta on.

    Where the integrand has become negligible before now, they end there.
    """
    _, alpha, s, beta = theta
    n = theta[0] + frequency
    length, smaller = _length(theta, frequency, recency, age)
    steps = length[:, None] * rule[0]
    passed = smaller[:, None] * (np.exp(steps) - 1)  # as precise as expm1 once added, at a third of its cost
    purchase_by, dropout_by = (alpha + recency)[:, None] + passed, (beta + recency)[:, None] + passed
    log_purchase, log_dropout = np.log(purchase_by), np.log(dropout_by)
    with np.errstate(divide="ignore"):
        log_width = np.log(length * smaller * s)
    gone = log_width[:, None] + np.log(rule[1]) + steps - n[:, None] * log_purchase - (s + 1) * log_dropout
    alive = -n * np.log(alpha + age) - s * np.log(beta + age)
    return _Paths(alive, gone, purchase_by, dropout_by, log_purchase, log_dropout)


def _length(theta: Array, frequency: Array, recency: Array, age: Array) -> tuple[Array, Array]:
    """How far the nodes reach in the log of the time, and the time at which they begin."""
    r, alpha, s, beta = theta
    smaller = min(alpha, beta) + recency
    rate = (r + frequency) * smaller / (alpha + recency) + (s + 1) * smaller / (beta + recency) - 1.0
    return np.minimum(np.log1p((age - recency) / smaller), NEGLIGIBLE / np.maximum(rate, 1e-9)), smaller


PARETO_NBD = ParetoNBD()
