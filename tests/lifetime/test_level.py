"""The level: a planted fall or rise is recovered and the total lies within its bounds; of even shops none is told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from test_lifetime_diagnostics import predict, sentence
from test_lifetime_diagnostics import shop as write_shop

from clv_helpers.config.settings import Simulation
from clv_helpers.lifetime.counts import KEY, as_histories
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.intervals_of_totals import level_spread
from clv_helpers.lifetime.level import Reach, level
from clv_helpers.lifetime.origin_forecasts import Forecast
from clv_helpers.lifetime.origins import windows
from clv_helpers.lifetime.records import Season
from clv_helpers.lifetime.scoring import expected_purchases
from clv_helpers.simulate import simulate
from conftest import often

FIRST, DAYS = dt.date(2021, 1, 1), 365
END = FIRST + dt.timedelta(days=1_186)
REACH = Reach(FIRST, END, DAYS)


def missed(far: list[float], apart: list[float], step: int = 91) -> float:
    """The level after forecasts that brought so many times what came."""
    days = [END - dt.timedelta(days=DAYS + step * number) for number in range(len(far))]
    made = [
        Forecast(END, day, DAYS, "mean", "purchases", 500, 1_000, 1_000 * ratio, 1, 0.3)
        for day, ratio in zip(days, far, strict=True)
    ]
    near = [Season(str(day), step, 250, None, 250 * ratio) for day, ratio in zip(days, apart, strict=True)]
    return level(made, near, "mean", REACH)


def test_a_level_needs_misses_to_one_side_that_no_chance_explains() -> None:
    alike = [0.8, 0.81, 0.79, 0.82, 0.8, 0.79]
    found = missed(alike, alike)
    assert found < 0.8  # as far ahead as today's history is longer
    assert missed([1 / ratio for ratio in alike], [1 / ratio for ratio in alike]) == pytest.approx(1 / found, rel=0.03)
    assert missed([0.8, 0.81, 0.79, 1.02, 0.8, 0.79], alike) == 1.0  # once to the other side
    assert missed(alike, [0.8, 1.1, 0.95, 0.7, 1.05, 0.9]) == 1.0  # only spans that share their days agree
    assert missed(alike, alike, step=45) == 1.0  # within less than a year it may be the season
    assert missed([0.97] * 6, [0.97] * 6) == 1.0  # less than the bounds hold anyway
    assert missed(alike[:2], alike[:2]) == missed([], []) == 1.0
    assert missed([0.2] * 6, [0.2] * 6) == 0.5


def test_a_moved_level_makes_the_bounds_wider() -> None:
    assert level_spread([0.05] * 6, 0.75) > level_spread([0.05] * 6)


def shop(seed: int, pace: float, customers: int, ahead: float = 1.0) -> list[np.ndarray]:
    """The purchase days of each customer of a shop whose rates all change by a factor a year; from MBG/NBD.

    `ahead`: by how much more is bought after END than the rates say.
    """
    rng = np.random.default_rng(seed)
    known = (END - FIRST).days
    day = np.arange(known + DAYS + 1)
    clock = np.append(0.0, np.cumsum(pace ** (day / 365.25) * np.where(day > known, ahead, 1.0)))
    bought = []
    for begin in rng.integers(0, known - 30, customers):
        rate, drops, moment, days = rng.gamma(1.0, 1 / 40), rng.beta(1.0, 8.0), clock[begin], [begin]
        while rng.random() >= drops and (moment := moment + rng.exponential(1 / rate)) < clock[-1]:
            days.append(int(np.searchsorted(clock, moment, side="right")) - 1)
        bought.append(np.unique(days))
    return bought


def forecast(bought: list[np.ndarray], cut_off: int, reaches: tuple[int, int]) -> list[tuple[float, float]]:
    """What MBG/NBD forecasts of the next days, each time so many, and what came."""
    import pandas as pd

    known = [days for days in bought if days[0] <= cut_off]
    so_far = [days[days <= cut_off] for days in known]
    rows = [(len(days) - 1, days[-1] - days[0], cut_off - days[0]) for days in so_far]
    groups = pd.DataFrame(rows, columns=KEY).groupby(KEY, as_index=False).size()
    groups = groups.rename(columns={"size": "customers"}).astype(float)
    fitted = fit("mbg_nbd", as_histories(groups))
    return [
        (
            float(groups["customers"] @ expected_purchases(fitted, groups, days)),
            float(sum(((each > cut_off) & (each <= cut_off + days)).sum() for each in known)),
        )
        for days in reaches
    ]


def tried(bought: list[np.ndarray]) -> tuple[float, float]:
    """The level that earlier cut-offs tell of a shop, and the log of what then came over the model's forecast."""
    made, near = [], []
    for day in windows(FIRST, END, DAYS)[1]:
        (far, came), (soon, came_soon) = forecast(bought, (day - FIRST).days, (DAYS, 91))
        made.append(Forecast(END, day, DAYS, "mbg_nbd", "purchases", 500, far, came, 1, 0.3))
        near.append(Season(str(day), 91, soon, None, came_soon))
    (ahead, comes), _ = forecast(bought, (END - FIRST).days, (DAYS, 91))
    return level(made, near, "mbg_nbd", REACH), float(np.log(comes / ahead))


@pytest.mark.slow
def test_even_shops_are_told_no_level() -> None:
    """Of fifty, hardly one, and that one little; a part of them but in `make soak`."""
    found = [tried(shop(seed, 1.0, 1_500))[0] for seed in range(often(50, 12))]
    told = [each for each in found if each != 1]
    assert len(told) <= max(len(found) // 20, 1)
    assert all(abs(np.log(each)) < 0.2 for each in told)


@pytest.mark.slow
@pytest.mark.parametrize(("pace", "seen"), [(0.7, 3), (1.6, 1)])
def test_a_planted_trend_is_recovered(pace: float, seen: int) -> None:
    """A rise less often: the models take who buys ever more for one who has not left, and miss less."""
    rows = np.array([tried(shop(seed, pace, 3_000)) for seed in range(4)])
    moved, came = np.log(rows[:, 0]), rows[:, 1]
    told = moved != 0
    assert told.sum() >= seen
    assert np.abs(came - moved)[told].mean() < 0.5 * np.abs(came)[told].mean()


@pytest.mark.slow
def test_the_trend_of_the_airline_is_recovered() -> None:
    events = simulate(Simulation(members=6_000, years=5, seed=1, change_per_year=-0.3)).loyalty_events
    flights = events[events["transaction_type"] == "STATUS_MILES"]
    day = (flights["occurred_at"] - events["occurred_at"].min().normalize()).dt.days
    moved, came = tried([np.unique(days) for _, days in day.groupby(flights["membership_number"])])
    assert moved < 0.9
    assert abs(came - np.log(moved)) < 0.5 * abs(came)


@pytest.mark.slow
def test_a_planted_fall_reaches_the_forecast_and_its_bounds(tmp_path: Path, outputs: Path) -> None:
    known, rows = (END - FIRST).days, []
    bought = shop(1, 0.7, 3_000)
    for number, days in enumerate(bought):
        rows += [(f"c{number}", FIRST + dt.timedelta(days=int(day)), 10.0) for day in days[days <= known]]
    extra = (
        f"as_of: {END + dt.timedelta(days=1)}\nlifetime: {{horizon_months: 12, margin: 1, annual_discount_rate: 0}}\n"
    )
    made = predict(write_shop(tmp_path, rows, extra))
    value, purchases = made.totals
    came = sum((days > known).sum() for days in bought)
    assert made.level < 0.9
    assert purchases.low < came < purchases.high
    assert value.low < 10 * came < value.high
    assert "fewer purchases than the model's own" in sentence(made, "level_of_the_past")
    assert "expect a like error ahead" not in " ".join(each.sentence for each in made.warnings)
