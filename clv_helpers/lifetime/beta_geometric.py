"""Purchases with a chance to drop out after each: BG/NBD and MBG/NBD.

BG/NBD: Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24 (2).
MBG/NBD: Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base
analysis, IJRM 24 (3): the chance comes after the first purchase too.
Purchase rates are Gamma(r, alpha) per week, dropout probabilities Beta(a, b).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, expit, gammaln

from clv_helpers.lifetime.counts import Array, Histories
from clv_helpers.lifetime.mixture import purchases_until_dropout


@dataclass(frozen=True)
class BetaGeometric:
    """One of the two models; `drops_at_first` tells them apart."""

    name: str
    drops_at_first: bool
    parameters: tuple[str, ...] = ("r", "alpha", "a", "b")
    starts: tuple[tuple[float, ...], ...] = ((0.5, 5.0, 0.8, 2.5), (1.0, 15.0, 0.1, 5.0), (0.2, 1.0, 2.0, 2.0))

    def log_likelihood(self, theta: Array, histories: Histories) -> tuple[float, Array]:
        """The log-likelihood of all customers, and its gradient by the four parameters."""
        r, alpha, a, b = theta
        (distinct, index), (recencies, by_recency), (ages, by_age) = histories.distinct.values()
        kept = b + distinct + self.drops_at_first  # the beta parameter of who is still there
        n = r + histories.frequency
        log_age = np.log(alpha + ages)[by_age]
        spread = log_age - np.log(alpha + recencies)[by_recency]
        odds = self._log_odds_of_dropout(theta, histories.frequency, spread)
        small = np.exp(-np.abs(odds))
        dead = np.where(odds > 0, 1.0, small) / (1.0 + small)
        by_frequency = gammaln(r + distinct) - gammaln(r) + betaln(a, kept) - betaln(a, b)
        value = by_frequency[index] + r * np.log(alpha) - n * log_age + np.maximum(odds, 0) + np.log1p(small)
        by_r = digamma(r + distinct) - digamma(r)
        by_a = digamma(a + b) - digamma(a + kept)
        by_b = digamma(kept) - digamma(b) + by_a
        left = np.where(dead > 0, kept[index] - 1.0, 1.0)
        gradient = [
            by_r[index] + np.log(alpha) - log_age + dead * spread,
            r / alpha - n * ((1 - dead) * (1 / (alpha + ages))[by_age] + dead * (1 / (alpha + recencies))[by_recency]),
            by_a[index] + dead / a,
            by_b[index] - dead / left,
        ]
        customers = histories.customers
        return float((customers * value).sum()), np.array([(customers * part).sum() for part in gradient])

    def probability_alive(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """The probability that a customer with this history has not dropped out yet."""
        spread = np.log1p((age - recency) / (theta[1] + recency))
        return expit(-self._log_odds_of_dropout(theta, frequency, spread))

    def expected_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array) -> Array:
        """Purchases expected in the next `weeks` of a customer who is still there. Cost: some ten terms each."""
        r, alpha, a, b = theta
        kept = b + frequency + self.drops_at_first
        return purchases_until_dropout(r + frequency, weeks / (alpha + age), a, kept)

    def purchase_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array) -> Array:
        """The probability of at least one purchase in the next `weeks` of a customer who is still there."""
        return -np.expm1(-(theta[0] + frequency) * np.log1p(weeks / (theta[1] + age)))

    def _log_odds_of_dropout(self, theta: Array, frequency: Array, spread: Array) -> Array:
        """Log odds of having dropped out; `spread` is log((alpha + age) / (alpha + recency))."""
        r, _, a, b = theta
        before = b + frequency - 1.0 + self.drops_at_first
        possible = np.broadcast_to((frequency > 0) | self.drops_at_first, spread.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(a) - np.log(np.where(possible, before, 1.0)) + (r + frequency) * spread
        return np.where(possible, odds, -np.inf)


BG_NBD = BetaGeometric("bg_nbd", drops_at_first=False)
MBG_NBD = BetaGeometric("mbg_nbd", drops_at_first=True)
