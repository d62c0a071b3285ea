"""The choice of `auto`: by all errors on rolling origins, the most even mean in a draw; and means of models."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clv_helpers.lifetime.counts import KEY, Histories
from clv_helpers.lifetime.fitting import MEANS, fit, mean_of
from clv_helpers.lifetime.intervals import at_least
from clv_helpers.lifetime.model_choice import choose
from clv_helpers.lifetime.origin_forecasts import Forecast
from clv_helpers.lifetime.records import AVERAGED
from clv_helpers.lifetime.scoring import (
    expected_purchases,
    month_curve,
    phase_shares,
    probability_alive,
    probability_purchase,
    score,
)


def origins(**totals: float) -> list[Forecast]:
    """Two cut-offs at which 100 were bought and so many forecast; errors per customer are as large as the total's."""
    rows = []
    for month in (1, 2):
        for model, total in totals.items():
            for measure in ("purchases", "spend"):
                loss = 0.3 if measure == "purchases" else None
                row = Forecast(
                    dt.date(2024, 6, 1), dt.date(2024, month, 1), 91, model, measure, 50, total, 100.0, 0, loss
                )
                rows.append(replace(row, mae=abs(total - 100) / 50))
    return rows


@pytest.mark.parametrize(
    ("totals", "used"),
    [
        ({"mbg_cnbd_k": 101, "pareto_nbd": 130, "mean": 115.5, "mean_3_1": 108.25, "mean_1_3": 122.75}, "mbg_cnbd_k"),
        ({"mbg_cnbd_k": 80, "pareto_nbd": 100, "mean": 90, "mean_3_1": 85, "mean_1_3": 95}, "pareto_nbd"),
        ({"mbg_cnbd_k": 110, "pareto_nbd": 90, "mean": 100, "mean_3_1": 105, "mean_1_3": 95}, "mean"),
        ({"mbg_cnbd_k": 100, "pareto_nbd": 100.1, "mean": 100.05, "mean_3_1": 100.02, "mean_1_3": 100.07}, "mean"),
        ({"mbg_nbd": 100}, None),
    ],
)
def test_a_single_model_is_used_where_it_is_clearly_better(totals: dict[str, float], used: str | None) -> None:
    chosen = choose(origins(**totals))
    assert (chosen[0].model if chosen else None) == used
    assert [len(each.cut_offs) for each in chosen] == [2] * len(chosen)


def test_each_error_counts() -> None:
    """Of two that forecast the same, the better probability is taken, and the better spend."""
    same = origins(mbg_cnbd_k=100, pareto_nbd=100)
    for changed in ({"log_loss": 0.5}, {"mae": 1.0}):
        part = "purchases" if "log_loss" in changed else "spend"
        rows = [replace(row, **changed) if (row.model, row.measure) == ("mbg_cnbd_k", part) else row for row in same]
        assert choose(rows)[0].model == "pareto_nbd"


@pytest.mark.parametrize("name", MEANS)
def test_a_mean_forecasts_the_mean_of_its_models(name: str) -> None:
    rng = np.random.default_rng(3)
    frequency = rng.integers(0, 6, 400)
    age = rng.integers(200, 400, 400)
    recency = np.where(frequency > 0, (age * rng.uniform(0.2, 1, 400)).astype(int), 0)
    groups = pd.DataFrame({"frequency": frequency, "recency_days": recency, "age_days": age}).drop_duplicates()
    histories = Histories.from_days(*(groups[key].to_numpy(float) for key in KEY), np.ones(len(groups)))
    fits = [fit(model, histories, 200.0) for model in AVERAGED]
    mean, weights = mean_of(name, fits), MEANS[name]
    for ahead in (
        probability_alive,
        lambda f, g: expected_purchases(f, g, 100),
        lambda f, g: probability_purchase(f, g, 9),
    ):
        expected = sum(weight * ahead(part, groups) for weight, part in zip(weights, fits, strict=True))
        assert ahead(mean, groups) == pytest.approx(expected, rel=1e-9)
    numbers, chance = at_least(mean, groups, 100)
    of_each = [at_least(part, groups, 100)[1][:, : len(numbers)] for part in fits]
    shared = min(part.shape[1] for part in (chance, *of_each))
    expected = sum(weight * part[:, :shared] for weight, part in zip(weights, of_each, strict=True))
    assert chance[:, :shared] == pytest.approx(expected, abs=1e-9)
    scored = score(mean, groups, month_curve(mean, groups, 2), 0.1)
    days = 2 * 365.25 / 12
    assert scored["expected_purchases"].to_numpy() == pytest.approx(expected_purchases(mean, groups, days), rel=1e-9)
    assert phase_shares(mean, groups).groupby(KEY)["share"].sum().to_numpy() == pytest.approx(1.0)
