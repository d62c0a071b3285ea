"""MBG/CNBD-k and BG/CNBD-k: who buys at even intervals is found, and known by it; who does not, is not."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_lifetime_diagnostics import SWITCHED_ON, predict, shop

from clv_helpers import lifetime
from clv_helpers.lifetime.beta_geometric import BG_CNBD, MBG_CNBD, MBG_NBD
from clv_helpers.lifetime.counts import DAYS_PER_WEEK, Histories
from clv_helpers.lifetime.fitting import fit, purchase_model
from conftest import absent

TRUTH = np.array([0.85, 1.45, 0.79, 2.42])  # r, alpha, a, b: the example of Platzer & Reutterer's package, with k 3


def simulated(customers: int, k: int, ages: tuple[float, float], weeks: float, seed: int = 1) -> dict[str, np.ndarray]:
    """Customers in continuous time: frequency, recency, age, the logs of their gaps, purchases in `weeks` after."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = TRUTH
    rate, drops, age = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers), rng.uniform(*ages, customers)
    x, recency, logs, after, moment = (np.zeros(customers) for _ in range(5))
    there = rng.random(customers) >= drops
    while there.any():
        gap = rng.gamma(k, 1 / rate)
        moment = moment + gap
        there &= moment < age + weeks
        before = there & (moment <= age)
        x, recency = x + before, np.where(before, moment, recency)
        logs, after = logs + np.where(before, np.log(gap), 0), after + (there & ~before)
        there &= rng.random(customers) >= drops
    return {"x": x, "recency": recency, "age": age, "logs": logs, "after": after}


@pytest.mark.parametrize("k", [1, 3])
def test_how_evenly_they_buy_is_recovered(k: int) -> None:
    rows = simulated(8_000, k, (100, 150), 0)
    histories = Histories(rows["x"], rows["recency"], rows["age"], np.ones(8_000))
    fitted = fit("mbg_cnbd_k", histories, rows["logs"].sum())
    assert (fitted.k, fitted.title) == (k, "MBG/CNBD-3" if k == 3 else "MBG/NBD")
    assert list(fitted.parameters.values()) == pytest.approx(TRUTH, rel=0.1)
    if k == 1:
        assert fitted == replace(fit("mbg_nbd", histories), model="mbg_cnbd_k")


@pytest.mark.parametrize("model", [replace(MBG_CNBD, k=4), replace(BG_CNBD, k=2), MBG_NBD])
def test_the_gradient_is_that_of_the_likelihood(model) -> None:
    rows = simulated(300, 3, (20, 60), 0)
    histories = Histories(rows["x"], rows["recency"], rows["age"], np.ones(300))
    _, gradient = model.log_likelihood(TRUTH, histories)
    for place, unit in enumerate(np.eye(4) * 1e-6):
        above, below = (model.log_likelihood(TRUTH + side * unit, histories)[0] for side in (1, -1))
        assert gradient[place] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("k", [2, 3])
def test_forecasts_are_what_simulated_customers_do(k: int) -> None:
    """P(purchase) and expected purchases, band by band of each, at the true parameters."""
    customers, weeks = 100_000, 30.0
    rows, model = simulated(customers, k, (20, 60), weeks), replace(MBG_CNBD, k=k)
    x, recency, age = rows["x"], rows["recency"], rows["age"]
    alive, ahead = model.probability_alive(TRUTH, x, recency, age), np.full(customers, weeks)
    buys, expected = np.zeros(customers), np.zeros(customers)
    for phase, share in enumerate(model.phase_shares(TRUTH, x, recency, age)):
        buys += alive * share * model.purchase_if_alive(TRUTH, x, age, ahead, phase)
        expected += alive * share * model.expected_if_alive(TRUTH, x, age, ahead, phase)
    for band in range(10):
        inside = np.floor(buys * 10) == band
        mean, came = buys[inside].mean(), (rows["after"][inside] > 0).mean()
        assert abs(came - mean) <= 4.5 * math.sqrt(mean * (1 - mean) / inside.sum()), (band, mean, came)
        error = rows["after"][inside].std() / math.sqrt(inside.sum())
        assert abs(rows["after"][inside].mean() - expected[inside].mean()) <= 4.5 * error, band


def test_a_series_of_thousands_of_terms_adds_up() -> None:
    """Who hardly ever drops out and buys a thousand times: what the rate alone would bring."""
    model, theta = replace(MBG_CNBD, k=2), np.array([1.0, 1.0, 1e-3, 1e3])
    ours = model.expected_if_alive(theta, np.array([2_000.0]), np.array([100.0]), np.array([50.0]))[0]
    assert ours == pytest.approx(4_001 / 101 * 50 / 2 - 0.25, rel=1e-3)  # events over two, less what is begun


def test_a_grocery_is_forecast_closer_than_published(cdnow_folder: Path) -> None:
    """The visits of the year after 2006: absolute errors over the actual sum; published for MBG/CNBD-k are .644."""
    file = cdnow_folder / "grocery.csv"
    if not file.exists():
        absent("grocery.csv is not in $CLV_DATA_DIR")
    visits = pd.read_csv(file, parse_dates=["date"])[["customer_id", "date"]]
    visits = visits.drop_duplicates().sort_values(["customer_id", "date"])
    end = pd.Timestamp(2006, 12, 31)
    known, later = (
        visits[visits["date"] <= end],
        visits[visits["date"].between(end + pd.Timedelta(days=1), "2007-12-30")],
    )
    dates = known.groupby("customer_id")["date"]
    first, last = dates.min(), dates.max()
    x = (dates.count() - 1).to_numpy(float)
    days = [(last - first).dt.days.to_numpy(float), (end - first).dt.days.to_numpy(float)]
    came = later.groupby("customer_id").size().reindex(first.index, fill_value=0).to_numpy()
    gaps = np.log(dates.diff().dropna().dt.days / DAYS_PER_WEEK).sum()
    histories = Histories.from_days(x, *days, np.ones(len(x)))
    fitted = fit("mbg_cnbd_k", histories, gaps)
    model, theta = purchase_model(fitted), fitted.theta
    alive = model.probability_alive(theta, x, histories.recency, histories.age)
    year = np.full(len(x), 52.0)
    shares = model.phase_shares(theta, x, histories.recency, histories.age)
    expected = sum(share * model.expected_if_alive(theta, x, histories.age, year, phase)
                   for phase, share in enumerate(shares)) * alive  # fmt: skip
    assert (len(x), came.sum(), fitted.k) == (1_525, 3_389, 2)
    assert fitted.log_likelihood - fit("mbg_nbd", histories).log_likelihood == pytest.approx(804, abs=1)
    assert np.abs(expected - came).sum() / came.sum() <= 0.644


@pytest.mark.slow
def test_a_workbook_finds_even_intervals(outputs: Path, tmp_path: Path) -> None:
    """Customers who buy every 20 to 40 days: through the lake and the log of forecasts, by `auto` too."""
    rng, rows = np.random.default_rng(5), []
    for number in range(700):
        day = dt.date(2023, 1, 1) + dt.timedelta(days=int(rng.integers(0, 300)))
        pace = rng.uniform(20, 40)
        while day < dt.date(2025, 6, 1):
            rows.append((f"c{number}", day, round(float(rng.uniform(5, 50)), 2)))
            if rng.random() < 0.08:
                break
            day += dt.timedelta(days=max(1, round(rng.gamma(6, pace / 6))))
    params = f"as_of: 2025-06-20\n{SWITCHED_ON}  model: "
    found = predict(shop(tmp_path / "named", rows, f"{params}mbg_cnbd_k\n"))
    assert found.purchase_fit.k >= 4
    workbook = shop(tmp_path / "auto", rows, f"{params}auto\n")
    chosen = predict(workbook)
    assert chosen.model in ("mbg_cnbd_k", "mean_3_1")
    assert chosen.purchase_fit.each[0].k == found.purchase_fit.k
    values, forecast = workbook.query("lifetime.customer_lifetime_value"), workbook.query("lifetime.forecast")
    year = forecast[forecast["month"] == 12]
    assert year["customers"].sum() == len(values)
    assert year["expected_purchases"].sum() == pytest.approx(values["expected_purchases"].sum())
    shown = lifetime.holdout(workbook).bundle["text/plain"]
    assert f"{chosen.fits[0].title}, fitted on the days up to" in shown
    assert f"{chosen.purchase_fit.title} expects" in lifetime.values(workbook).bundle["text/plain"]
