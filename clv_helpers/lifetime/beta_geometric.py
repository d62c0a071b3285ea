"""Purchases with a chance to drop out after each: BG/NBD and MBG/NBD, and both for who buys at even intervals.

BG/NBD: Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24 (2).
MBG/NBD: Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base
analysis, IJRM 24 (3): the chance comes after the first purchase too.
BG/CNBD-k and MBG/CNBD-k: Platzer & Reutterer (2016), Ticking Away the Moments, Marketing Science 35 (5): a purchase is
each k-th of events that come at random, so that intervals are Erlang-k, the more even the greater k; 1 is the model
above. Between two purchases a customer is in one of k phases: how many of these events have come since the last.
Rates of events are Gamma(r, alpha) per week, dropout probabilities Beta(a, b).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaln, digamma, expit, gammaln

from clv_helpers.lifetime.counts import Array, Histories
from clv_helpers.lifetime.mixture import purchases_until_dropout


@dataclass(frozen=True)
class BetaGeometric:
    """One of these models: whether one may drop out at the first purchase, and how even intervals are (`k`)."""

    name: str
    drops_at_first: bool
    k: int = 1
    parameters: tuple[str, ...] = ("r", "alpha", "a", "b")

    @property
    def starts(self) -> tuple[tuple[float, ...], ...]:
        """Where fits start; of even intervals k events make a purchase, so that they come k times as often."""
        return tuple(
            (r, alpha / self.k, a, b)
            for r, alpha, a, b in ((0.5, 5.0, 0.8, 2.5), (1.0, 15.0, 0.1, 5.0), (0.2, 1.0, 2.0, 2.0))
        )

    def log_likelihood(self, theta: Array, histories: Histories) -> tuple[float, Array]:
        """The log-likelihood of all customers, and its gradient by the four parameters.

        For k > 1 without the intervals themselves, which no parameter moves: see `of_intervals`.
        """
        r, alpha, a, b = theta
        (distinct, index), (recencies, by_recency), (ages, by_age) = histories.distinct.values()
        kept = b + distinct + self.drops_at_first  # the beta parameter of who is still there
        events = self.k * distinct
        n = r + self.k * histories.frequency
        log_age = np.log(alpha + ages)[by_age]
        spread = log_age - np.log(alpha + recencies)[by_recency]
        since, since_by_n, since_by_alpha = self._log_since_last(theta, histories)
        odds = self._log_odds_of_dropout(theta, histories.frequency, spread) - since
        small = np.exp(-np.abs(odds))
        dead = np.where(odds > 0, 1.0, small) / (1.0 + small)
        by_frequency = gammaln(r + events) - gammaln(r) + betaln(a, kept) - betaln(a, b)
        value = by_frequency[index] + r * np.log(alpha) - n * log_age + since + np.maximum(odds, 0) + np.log1p(small)
        by_r = digamma(r + events) - digamma(r)
        by_a = digamma(a + b) - digamma(a + kept)
        by_b = digamma(kept) - digamma(b) + by_a
        left = np.where(dead > 0, kept[index] - 1.0, 1.0)
        by_rate = (1 - dead) * (1 / (alpha + ages))[by_age] + dead * (1 / (alpha + recencies))[by_recency]
        gradient = [
            by_r[index] + np.log(alpha) - log_age + dead * spread + (1 - dead) * since_by_n,
            r / alpha - n * by_rate + (1 - dead) * since_by_alpha,
            by_a[index] + dead / a,
            by_b[index] - dead / left,
        ]
        customers = histories.customers
        return float((customers * value).sum()), np.array([(customers * part).sum() for part in gradient])

    def of_intervals(self, histories: Histories, log_gaps: float) -> float:
        """What the intervals themselves add to the log-likelihood; `log_gaps` is the sum of their logs, in weeks."""
        purchases = float(histories.customers @ histories.frequency)
        return (self.k - 1) * log_gaps - purchases * float(gammaln(self.k))

    def probability_alive(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """The probability that a customer with this history has not dropped out yet."""
        spread = np.log1p((age - recency) / (theta[1] + recency))
        since = np.log(self._phases(theta, frequency, recency, age).sum(axis=0))
        return expit(since - self._log_odds_of_dropout(theta, frequency, spread))

    def phase_shares(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """How likely each phase is of a customer who is still there; a row per phase, which add up to one."""
        phases = self._phases(theta, frequency, recency, age)
        return phases / phases.sum(axis=0)

    def expected_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array, phase: int = 0) -> Array:
        """Purchases expected in the next `weeks` of a customer who is still there. Cost: some ten terms each."""
        r, alpha, a, b = theta
        kept = b + frequency + self.drops_at_first
        n = r + self.k * frequency + phase
        return purchases_until_dropout(n, weeks / (alpha + age), a, kept, self.k, phase)

    def purchase_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array, phase: int = 0) -> Array:
        """The probability of at least one purchase in the next `weeks` of a customer who is still there."""
        n, alpha = theta[0] + self.k * frequency + phase, theta[1]
        longer = np.log1p(weeks / (alpha + age))
        buys, term = -np.expm1(-n * longer), np.exp(-n * longer)  # term: no event; then one, and so on
        for events in range(1, self.k - phase):
            term = term * (n + events - 1) / events * -np.expm1(-longer)
            buys = buys - term
        return np.maximum(buys, 0.0)

    def at_least_if_alive(
        self, theta: Array, frequency: Array, age: Array, weeks: float, purchases: Array, phase: int = 0
    ) -> Array:
        """The probability of so many purchases or more in the next `weeks` of a customer who is still there.

        Of who never drops out, events are negative binomial; and no purchase before the last of these was the last.
        """
        r, alpha, a, b = theta
        kept = b + frequency + self.drops_at_first
        come = betainc(self.k * purchases - phase, r + self.k * frequency + phase, weeks / (alpha + age + weeks))
        return come * np.exp(betaln(a, kept + purchases - 1) - betaln(a, kept))

    def _phases(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """The weight of each phase, that of the first being one; a row per phase."""
        n, passed = theta[0] + self.k * frequency, (age - recency) / (theta[1] + age)
        rows = [np.ones(np.broadcast_shapes(np.shape(n), np.shape(passed)))]
        for phase in range(1, self.k):
            rows.append(rows[-1] * (n + phase - 1) / phase * passed)
        return np.stack(rows)

    def _log_since_last(self, theta: Array, histories: Histories) -> tuple[Array | float, Array | float, Array | float]:
        """The log of the weight of all phases, and its derivatives by n = r + k x and by alpha."""
        if self.k == 1:
            return 0.0, 0.0, 0.0
        recency, age = histories.recency, histories.age
        n, phases = theta[0] + self.k * histories.frequency, self._phases(theta, histories.frequency, recency, age)
        by_n, by_alpha = np.zeros_like(n), np.zeros_like(n)
        of_n = np.zeros_like(n)
        for phase in range(1, self.k):
            of_n = of_n + 1 / (n + phase - 1)
            by_n += phases[phase] * of_n
            by_alpha -= phases[phase] * phase / (theta[1] + age)
        total = phases.sum(axis=0)
        return np.log(total), by_n / total, by_alpha / total

    def _log_odds_of_dropout(self, theta: Array, frequency: Array, spread: Array) -> Array:
        """Log odds of having dropped out, to being there in the first phase.

        `spread` is log((alpha + age) / (alpha + recency)).
        """
        r, _, a, b = theta
        before = b + frequency - 1.0 + self.drops_at_first
        possible = np.broadcast_to((frequency > 0) | self.drops_at_first, spread.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(a) - np.log(np.where(possible, before, 1.0)) + (r + self.k * frequency) * spread
        return np.where(possible, odds, -np.inf)


BG_NBD = BetaGeometric("bg_nbd", drops_at_first=False)
MBG_NBD = BetaGeometric("mbg_nbd", drops_at_first=True)
BG_CNBD = BetaGeometric("bg_cnbd_k", drops_at_first=False)
MBG_CNBD = BetaGeometric("mbg_cnbd_k", drops_at_first=True)
