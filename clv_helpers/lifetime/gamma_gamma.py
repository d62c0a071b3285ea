"""What a purchase brings: Gamma-Gamma.

Fader, Hardie & Lee (2005), RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, JMR 42 (4), and
Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value. A purchase is Gamma(p, nu), nu is Gamma(q, gamma)
over customers, and spend does not depend on how often a customer buys.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from clv_helpers.lifetime.counts import Array, Spends


@dataclass(frozen=True)
class GammaGamma:
    """The model. The expected spend per purchase day, p (gamma + total) / (p x + q - 1), is computed by the engine."""

    name: str = "gamma_gamma"
    parameters: tuple[str, ...] = ("p", "q", "gamma")
    starts: tuple[tuple[float, ...], ...] = ((5.0, 4.0, 20.0), (1.0, 2.0, 100.0), (2.0, 5.0, 1_000.0))

    def log_likelihood(self, theta: Array, spends: Spends) -> tuple[float, Array]:
        """The log-likelihood of the mean spends, and its gradient by the three parameters."""
        p, q, gamma = theta
        x, log_total = spends.frequency, spends.mean_log_total
        shape = p * x
        log_sum = np.logaddexp(np.log(gamma), log_total)
        value = (
            gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
            + (shape - 1) * log_total + np.log(x) - (shape + q) * log_sum
        )  # fmt: skip
        both = digamma(shape + q)
        gradient = [
            x * (both - digamma(shape) + log_total - log_sum),
            both - digamma(q) + np.log(gamma) - log_sum,
            q / gamma - (shape + q) * np.exp(-log_sum),
        ]
        return float(spends.customers @ value), np.array([float(spends.customers @ part) for part in gradient])


GAMMA_GAMMA = GammaGamma()
