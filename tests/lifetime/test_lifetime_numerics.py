"""No NaN, no infinity, and eight digits right: every quantity against mpmath on 3,000 random customers."""

from __future__ import annotations

from typing import NamedTuple

import mpmath as mp
import numpy as np
import pytest

from clv_helpers.lifetime.beta_geometric import BG_NBD, MBG_NBD
from clv_helpers.lifetime.counts import Histories
from clv_helpers.lifetime.pareto_nbd import PARETO_NBD

CASES = 3_000
DIGITS = 60


class Case(NamedTuple):
    """A model's parameters, a history and a horizon, times in weeks."""

    theta: tuple[float, float, float, float]
    frequency: int
    recency: float
    age: float
    weeks: float


def cases(model: str, count: int = CASES // 3) -> list[Case]:
    """Random parameters and histories, among them the corners: no purchase, one just now, thousands of them."""
    rng = np.random.default_rng(len(model))
    found = []
    for index in range(count):
        first, scale = 10 ** rng.uniform(-2, 1), 10 ** rng.uniform(-1, 2)
        third, fourth = 10 ** rng.uniform(-2, 1.3), 10 ** rng.uniform(-2, 1.5)
        if index % 5 == 1:
            third = 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-14, -3)
        if index % 5 == 2:
            third, fourth = rng.uniform(0.01, 0.5), rng.uniform(0.01, 0.49)  # a + b < 1
        if index % 5 == 3:
            fourth = third if index % 2 else scale  # equal scales
        age = rng.uniform(0, 250)
        frequency = [0, 1, int(rng.integers(2, 60)), int(10 ** rng.uniform(1, 3.7))][index % 4]
        recency = 0.0 if frequency == 0 else age if index % 3 == 0 else rng.uniform(0, age)
        found.append(Case((first, scale, third, fourth), frequency, recency, age, 10 ** rng.uniform(-1, 2.3)))
    found[0] = Case(found[0].theta, 5_000, 200.0, 200.0, 52.0)
    found[1] = Case(found[1].theta, 132, 200.0, 200.0, 52.0)  # where an archived library gives NaN
    return found


def beta_geometric(case: Case, at_first: bool) -> tuple[mp.mpf, mp.mpf, mp.mpf, mp.mpf]:
    """Log-likelihood, P(alive), and of who is alive: expected purchases, P(a purchase). By the papers' formulas."""
    r, alpha, a, b = map(mp.mpf, case.theta)
    x, recency, age, weeks = map(mp.mpf, case[1:])
    kept, n = b + x + at_first, r + x
    stays = mp.beta(a, kept) / mp.beta(a, b) * (alpha + age) ** -n
    leaves = mp.mpf(0)
    if x > 0 or at_first:
        leaves = mp.beta(a + 1, kept - 1) / mp.beta(a, b) * (alpha + recency) ** -n
    log_likelihood = mp.loggamma(n) - mp.loggamma(r) + r * mp.log(alpha) + mp.log(stays + leaves)
    z = weeks / (alpha + age + weeks)
    # the papers' 2F1(n, kept; a + kept - 1; z), Euler-transformed as mpmath wants it for thousands of purchases
    series = (1 - z) ** (a - 1 - n) * mp.hyp2f1(a + kept - 1 - n, a - 1, a + kept - 1, z)
    expected = (a + kept - 1) / (a - 1) * (1 - (1 - z) ** n * series)
    return log_likelihood, stays / (stays + leaves), expected, 1 - (1 - z) ** n


def pareto(case: Case) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
    """Log-likelihood, P(alive), expected purchases of who is alive, by the paper's formulas (a derivation of 2F1)."""
    r, alpha, s, beta = map(mp.mpf, case.theta)
    x, recency, age, weeks = map(mp.mpf, case[1:])
    n = r + x

    def tail(moment: mp.mpf) -> mp.mpf:  # the integral from `moment` on
        larger, smaller = max(alpha, beta), min(alpha, beta)
        second = s + 1 if alpha >= beta else n
        z = (larger - smaller) / (larger + moment)
        return mp.hyp2f1(n + s, second, n + s + 1, z) / (larger + moment) ** (n + s) / (n + s)

    leaves = s * (tail(recency) - tail(age))
    stays = (alpha + age) ** -n * (beta + age) ** -s
    total = mp.log(stays + leaves) + r * mp.log(alpha) + s * mp.log(beta) + mp.loggamma(n) - mp.loggamma(r)
    stretch = mp.log1p(weeks / (beta + age))
    if s == 1:
        expected = n * (beta + age) / (alpha + age) * stretch
    else:
        expected = n * (beta + age) / (alpha + age) * -mp.expm1((1 - s) * stretch) / (s - 1)
    return total, stays / (stays + leaves), expected


def pareto_purchase(case: Case) -> mp.mpf:
    """P(a purchase before dropping out), as an integral over the purchase's moment."""
    r, alpha, s, beta = map(mp.mpf, case.theta)
    x, _, age, weeks = map(mp.mpf, case[1:])
    n = r + x
    smaller = min(alpha, beta) + age

    def density(v: mp.mpf) -> mp.mpf:
        passed = smaller * mp.expm1(v)
        return (
            n / (alpha + age) * (1 + passed / (alpha + age)) ** (-n - 1) * (1 + passed / (beta + age)) ** -s
            * (smaller + passed)
        )  # fmt: skip

    end = mp.log1p(weeks / smaller)
    knots = sorted({mp.mpf(0), *(min(end, end * mp.mpf(10) ** -k) for k in range(5)), end})
    return mp.quad(density, knots)


def close(found: float, exact: mp.mpf) -> bool:
    """Eight digits; what a double cannot hold counts as zero."""
    return bool(np.isfinite(found)) and abs(mp.mpf(found) - exact) <= abs(exact) * mp.mpf("1e-8") + mp.mpf("1e-300")


def all_close(found: list[float], exact: tuple[mp.mpf, ...]) -> bool:
    """The first is a log-likelihood: eight digits of it or, near 0, twelve of the likelihood."""
    near = close(found[0], exact[0]) or abs(mp.mpf(found[0]) - exact[0]) < mp.mpf("1e-12")
    return near and all(map(close, found[1:], exact[1:]))


def ours(model, case: Case) -> list[float]:
    theta = np.array(case.theta)
    x, recency, age, weeks = (np.array([value], dtype=float) for value in case[1:])
    value, gradient = model.log_likelihood(theta, Histories(x, recency, age, np.ones(1)))
    assert np.isfinite(gradient).all()
    return [
        value,
        float(model.probability_alive(theta, x, recency, age)[0]),
        float(model.expected_if_alive(theta, x, age, weeks)[0]),
        float(model.purchase_if_alive(theta, x, age, weeks)[0]),
    ]


@pytest.mark.parametrize("model", [BG_NBD, MBG_NBD], ids=lambda model: model.name)
def test_beta_geometric(model) -> None:
    with mp.workdps(DIGITS):
        for case in cases(model.name):
            exact = beta_geometric(case, model.drops_at_first)
            assert all_close(ours(model, case), exact), case


def test_pareto() -> None:
    with mp.workdps(DIGITS):
        for index, case in enumerate(cases(PARETO_NBD.name)):
            found = ours(PARETO_NBD, case)
            assert all_close(found, pareto(case)), case
            if index % 20 == 0:  # an integral in mpmath takes a tenth of a second
                assert close(found[3], pareto_purchase(case)), case
            assert 0 <= found[3] <= 1


@pytest.mark.parametrize("model", [BG_NBD, MBG_NBD, PARETO_NBD], ids=lambda model: model.name)
def test_gradient_is_the_likelihoods(model) -> None:
    for case in cases(model.name)[::25]:
        histories = Histories(*(np.array([value], dtype=float) for value in case[1:4]), np.ones(1))
        _, gradient = model.log_likelihood(np.array(case.theta), histories)
        for position, value in enumerate(case.theta):
            step = value * 1e-6
            sides = []
            for sign in (1, -1):
                theta = np.array(case.theta)
                theta[position] += sign * step
                sides.append(model.log_likelihood(theta, histories)[0])
            slope = (sides[0] - sides[1]) / (2 * step)
            scale = max(abs(sides[0]) * 1e-9 / step, abs(slope) * 1e-4, 1e-7)
            assert gradient[position] == pytest.approx(slope, abs=scale), case


def test_published_customer() -> None:
    theta = np.array([0.24259, 4.41360, 0.79292, 2.42591])
    history = np.array([2.0]), np.array([30.43]), np.array([38.86])
    alive = BG_NBD.probability_alive(theta, *history)
    expected = alive * BG_NBD.expected_if_alive(theta, history[0], history[2], np.array([39.0]))
    assert alive[0] == pytest.approx(0.72661, abs=5e-6)
    assert expected[0] == pytest.approx(1.2259, abs=5e-5)
