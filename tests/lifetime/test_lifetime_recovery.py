"""Where the truth is known, the 95 % intervals hold it as often as they say; times are seen by the day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clv_helpers import ingest, lifetime, models, simulate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.lifetime.counts import Histories, Spends
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import Fit
from conftest import SMALL

CUSTOMERS, LAST_DAY = 1_500, 730
TRUTH = {
    "bg_nbd": {"r": 0.8, "alpha": 10.0, "a": 0.9, "b": 3.5},
    "mbg_nbd": {"r": 0.8, "alpha": 10.0, "a": 0.9, "b": 3.5},
    "pareto_nbd": {"r": 0.8, "alpha": 10.0, "s": 0.7, "beta": 15.0},
    "gamma_gamma": {"p": 4.0, "q": 3.5, "gamma": 15.0},
}


def purchases(rng: np.random.Generator, model: str) -> Histories:
    """Customers in continuous time, of whom the day of each purchase is seen; two on a day are one."""
    r, alpha, third, fourth = TRUTH[model].values()
    first = rng.integers(0, 365, CUSTOMERS) + rng.random(CUSTOMERS)
    rate = rng.gamma(r, 1 / alpha, CUSTOMERS) / 7
    if model == "pareto_nbd":
        gone_at = first + rng.exponential(1 / (rng.gamma(third, 1 / fourth, CUSTOMERS) / 7))
        drops = np.zeros(CUSTOMERS)
    else:
        gone_at, drops = np.full(CUSTOMERS, np.inf), rng.beta(third, fourth, CUSTOMERS)
    seen_first = np.floor(first)
    x, last, moment = np.zeros(CUSTOMERS), seen_first.copy(), first.copy()
    there = rng.random(CUSTOMERS) >= drops if model == "mbg_nbd" else np.ones(CUSTOMERS, bool)
    while there.any():
        moment = moment + rng.exponential(1 / rate)
        there &= moment < np.minimum(gone_at, LAST_DAY)
        new_day = there & (np.floor(moment) > last)
        x, last = x + new_day, np.where(new_day, np.floor(moment), last)
        there &= rng.random(CUSTOMERS) >= drops
    return Histories.from_days(x, last - seen_first, LAST_DAY - seen_first, np.ones(CUSTOMERS))


def spends(rng: np.random.Generator) -> Spends:
    p, q, gamma = TRUTH["gamma_gamma"].values()
    x = rng.geometric(0.35, CUSTOMERS).astype(float)
    total = rng.gamma(p * x, 1 / rng.gamma(q, 1 / gamma, CUSTOMERS))
    return Spends(x, np.log(total), np.ones(CUSTOMERS))


def holds(fitted: Fit, name: str, value: float) -> bool:
    interval = fitted.intervals[name]
    return interval is not None and interval[0] <= value <= interval[1]


@pytest.mark.parametrize(
    ("simulations", "at_least"), [(12, 10), pytest.param(100, 90, marks=pytest.mark.slow)], ids=["few", "hundred"]
)
@pytest.mark.parametrize("model", TRUTH)
def test_intervals_cover_the_truth(model: str, simulations: int, at_least: int) -> None:
    """Each parameter's interval, in 90 of 100 simulations or more."""
    rng = np.random.default_rng(2026)
    covered = dict.fromkeys(TRUTH[model], 0)
    for _ in range(simulations):
        fitted = fit(model, spends(rng) if model == "gamma_gamma" else purchases(rng, model))
        for name, value in TRUTH[model].items():
            covered[name] += holds(fitted, name, value)
    assert min(covered.values()) >= at_least, covered


def test_airline_is_recovered(outputs: Path) -> None:
    """The notebook counts the true parameters that the intervals hold; with few customers, they hold them all."""
    workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides={**SMALL, "lifetime.model": "mbg_nbd"})
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    assert lifetime.refresh(workbook).status == "predicted"
    shown = lifetime.models(workbook)
    said, fits = shown.bundle["text/plain"], shown.parts[-1].bundle["text/html"]
    assert "NaN" not in fits
    assert "None" not in fits
    assert "The spend model takes spend not to depend on frequency: here their correlation is" in said
    assert "the truth is known: 7 of the 7 true parameters lie within their 95% intervals." in said
