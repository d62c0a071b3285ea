"""The shifted beta-geometric distribution: published values, and an independent computation of each quantity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta as beta_distribution

from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.shifted_beta_geometric import (
    SHIFTED_BETA_GEOMETRIC,
    Contracts,
    residual_renewals,
    retention,
    survival,
)

# Fader & Hardie (2007), table 1: per cent of 1,000 customers of each kind who are there after so many renewals.
REGULAR = (100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3)
HIGH_END = (100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4)
KNOWN = 7  # renewals that the paper fits on; the other five it forecasts


def of_table(percent: tuple[float, ...]) -> Fit:
    there = np.round(np.array(percent[: KNOWN + 1]) * 10)
    counts = np.append(-np.diff(there), there[-1])
    return fit("shifted_beta_geometric", Contracts(
        np.append(np.arange(KNOWN), KNOWN).astype(float), np.append(np.ones(KNOWN), 0.0), counts
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("percent", "alpha", "beta", "log_likelihood", "ahead"),
    [
        (REGULAR, 0.7041, 1.1820, -1680.2652, (0.2201, 0.2044, 0.1912, 0.1799, 0.1700)),
        (HIGH_END, 0.6681, 3.8061, -1611.1581, (0.4604, 0.4358, 0.4142, 0.3951, 0.3780)),
    ],
)
def test_published_parameters_and_survival(
    percent: tuple[float, ...], alpha: float, beta: float, log_likelihood: float, ahead: tuple[float, ...]
) -> None:
    """As published: .704, 1.182 and .668, 3.806, and the survival of years 8 to 12 (.460 … .378 of the high end)."""
    fitted = of_table(percent)
    assert list(fitted.parameters.values()) == pytest.approx([alpha, beta], abs=1e-4)
    assert fitted.log_likelihood == pytest.approx(log_likelihood, abs=1e-3)
    assert survival(fitted.theta, np.arange(8, 13)) == pytest.approx(ahead, abs=1e-4)
    assert np.abs(survival(fitted.theta, np.arange(13)) - np.array(percent) / 100).max() < 0.025
    assert all(low < value < high for value, (low, high) in zip(
        (alpha, beta), fitted.intervals.values(), strict=True
    ))  # fmt: skip


def test_published_residual_lifetime() -> None:
    """Of high-end customers renewed seven times, at 10 % a year: 7.530."""
    assert residual_renewals(of_table(HIGH_END).theta, 7, 1 / 1.1)[7] == pytest.approx(7.530, abs=5e-4)


@pytest.mark.parametrize(("theta", "discount"), [((0.668, 3.806), 1 / 1.1), ((3.8, 15.2), 0.992), ((0.5, 0.5), 0.6)])
def test_residual_renewals_are_the_papers_hypergeometric_function(theta: tuple[float, float], discount: float) -> None:
    made, (alpha, beta) = np.arange(31), theta
    published = retention(theta, made) * hyp2f1(1, beta + made + 1, alpha + beta + made + 1, discount)
    assert residual_renewals(np.array(theta), 30, discount) == pytest.approx(published, rel=1e-9)


def test_undiscounted_renewals_are_finite_where_contracts_end() -> None:
    """The mean of (1 - p) / p over Beta(alpha, beta), which is infinite where alpha is 1 or less."""
    mean = quad(lambda p: (1 - p) / p * beta_distribution(3.0, 6.0).pdf(p), 0, 1)[0]
    assert residual_renewals(np.array([3.0, 6.0]), 0, 1.0)[0] == pytest.approx(mean)
    assert np.isnan(residual_renewals(np.array([0.9, 6.0]), 2, 1.0)).all()
    alike = np.array([1e5, 9e5])  # everyone ends with probability .1: a geometric series
    assert residual_renewals(alike, 2, 0.9) == pytest.approx([0.9 / (1 - 0.81)] * 3, rel=1e-4)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    contracts, theta = Contracts(np.array([0.0, 3, 5]), np.array([1.0, 1, 0]), np.array([5.0, 2, 9])), (0.8, 2.5)
    _, gradient = SHIFTED_BETA_GEOMETRIC.log_likelihood(np.array(theta), contracts)
    for place, unit in enumerate(np.eye(2) * 1e-6):
        above, below = (SHIFTED_BETA_GEOMETRIC.log_likelihood(theta + side * unit, contracts)[0] for side in (1, -1))
        assert gradient[place] == pytest.approx((above - below) / 2e-6, rel=1e-5)


def test_contracts_that_all_end_alike_are_told_to_be_alike() -> None:
    """The null: nobody is likelier to leave than others, so no parameter is told, and retention does not rise."""
    ended = np.random.default_rng(3).geometric(0.2, 20_000)
    renewals, counts = np.unique(np.minimum(ended - 1, 10), return_counts=True)
    fitted = fit("shifted_beta_geometric", Contracts(renewals * 1.0, (renewals < 10) * 1.0, counts * 1.0))
    assert retention(fitted.theta, np.array([0, 9])) == pytest.approx([0.8, 0.8], abs=0.02)
