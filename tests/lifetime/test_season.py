"""Season: a planted one is recovered and shrunk, and where there is none, none is said."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from test_lifetime_diagnostics import predict, sentence, shop

from clv_helpers.lifetime.records import LifetimeRecord
from clv_helpers.lifetime.season import factors, paced

PLANTED = np.array([0.7, 0.75, 0.9, 0.95, 1.0, 1.05, 0.95, 0.9, 1.0, 1.1, 1.2, 1.5])


def counts(years: int, mean: float, season: np.ndarray, growth: float = 0.0, seed: int = 0) -> np.ndarray:
    months = np.arange(12 * years)
    return np.random.default_rng(seed).poisson(mean * season[months % 12] * np.exp(growth * months))


@pytest.mark.parametrize("years", [2, 4])
@pytest.mark.parametrize("growth", [0.0, 0.02])
def test_a_planted_season_is_recovered_under_growth(years: int, growth: float) -> None:
    found = factors(counts(years, 4_000, PLANTED / PLANTED.mean(), growth))
    assert found == pytest.approx(PLANTED / PLANTED.mean(), abs=0.08)


def test_months_begin_where_they_begin() -> None:
    rows = counts(3, 4_000, PLANTED)
    assert factors(rows[7:], 7)[11] == max(factors(rows[7:], 7)) == pytest.approx(1.5, abs=0.1)


def test_without_a_season_none_is_found() -> None:
    """Poisson counts of even months: of a hundred shops, hardly one is told a season, and that a slight one."""
    found = [factors(counts(3, 300, np.ones(12), seed=seed)) for seed in range(100)]
    told = [each for each in found if each]
    assert len(told) <= 5
    assert all(np.abs(np.array(each) - 1).max() < 0.15 for each in told)


@pytest.mark.parametrize("rows", [[500] * 5 + [900] + [500] * 17, [500, 900] * 15 + [29] + [500, 900] * 5, []])
def test_too_little_tells_no_season(rows: list[int]) -> None:
    assert factors(rows) == []


def test_a_shop_that_begins_small_is_read_from_where_it_is_not() -> None:
    rows = [1, 5, 12, 28, *counts(3, 4_000, PLANTED)[4:]]
    assert factors(rows)[11] == pytest.approx(1.5, abs=0.1)


def test_noise_shrinks_towards_one() -> None:
    rng, months = np.random.default_rng(2), PLANTED[np.arange(36) % 12]
    calm, wild = (factors(np.round(3_000 * months * np.exp(rng.normal(0, by, 36)))) for by in (0.01, 0.35))
    assert np.ptp(wild or [1.0]) < np.ptp(calm)


@pytest.fixture(scope="module")
def seasonal(tmp_path_factory: pytest.TempPathFactory) -> LifetimeRecord:
    """Four and a half years of customers who come all along and buy by the planted season."""
    rng, folder, days = np.random.default_rng(4), tmp_path_factory.mktemp("season"), 1_650
    dates = np.datetime64("2021-01-04") + np.arange(days)
    pace = PLANTED[dates.astype("datetime64[M]").astype(int) % 12]
    rows = []
    for customer in range(700):
        begin, rate = int(rng.integers(0, days - 1)), rng.gamma(1.5, 0.015)
        bought = rng.random(days) < rate * pace
        bought[:begin], bought[begin] = False, True
        bought[begin + int(rng.exponential(900)) :] &= customer % 3 != 0
        rows += [(f"c{customer}", dates[day].item(), 10.0) for day in np.flatnonzero(bought)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        extra = f"as_of: {dates[-1].item()}\nlifetime: {{horizon_months: 3}}\n"
        return predict(shop(folder / "w", rows, extra))


@pytest.mark.slow
def test_a_planted_season_reaches_the_forecast(seasonal: LifetimeRecord) -> None:
    assert seasonal.ahead is not None
    assert seasonal.ahead.months == pytest.approx(PLANTED / PLANTED.mean(), abs=0.15)
    even, with_season = (np.mean([each.off(name) for each in seasonal.seasons]) for name in ("even", "seasonal"))
    assert with_season < 0.7 * even
    assert seasonal.purchase_fit.ahead == seasonal.ahead
    assert seasonal.ahead.level == 1 or abs(seasonal.ahead.level - 1) < 0.1
    assert "December has 1." in sentence(seasonal, "season")


def test_a_whole_year_is_as_long_as_it_is() -> None:
    season = list(PLANTED / PLANTED.mean())
    for first in (dt.date(2025, 1, 1), dt.date(2025, 8, 17)):
        assert float(paced(365.0, first, season)) == pytest.approx(365, rel=0.01)
    assert float(paced(31.0, dt.date(2025, 12, 1), season, 2.0)) == pytest.approx(62 * season[11])
    assert paced(np.array([0.0, 10.5]), dt.date(2025, 12, 1), []).tolist() == [0.0, 10.5]
