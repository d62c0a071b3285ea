"""A forecast leans on what needs no model where that did better before, and nowhere else."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_lifetime_diagnostics import FIRST, SWITCHED_ON, predict, sentence, shop

from clv_helpers.engines.dialect import table
from clv_helpers.engines.engine import Engine
from clv_helpers.lifetime.baselines import BLENDS, expressions, weights
from clv_helpers.lifetime.model_choice import choose_blend
from clv_helpers.lifetime.origin_forecasts import Forecast
from clv_helpers.lifetime.origins import Origins, first_purchases_help
from clv_helpers.lifetime.records import Blend, SpendTried

YEARS = 3


def tried(errors: dict[Blend, float]) -> list[Forecast]:
    """Of a cut-off, so large an error per purchase, and no total missed."""
    return [
        Forecast(
            dt.date(2024, 6, 1), dt.date(2024, 1, 1), 91, blend.of("mean"), measure, 50, 100.0, 100.0, 2 * error,
            0.3 if measure == "purchases" else None,
        )
        for blend, error in errors.items()
        for measure in ("purchases", "spend")
    ]  # fmt: skip


HALF = Blend("last_year", 0.5, scaled=True)
WHOLE = Blend("last_year", 1.0)


@pytest.mark.parametrize(
    ("better", "used"),
    [
        ({}, Blend()),
        ({HALF: 0.492, WHOLE: 0.51}, Blend()),  # within a draw
        ({HALF: 0.48}, HALF),
        ({HALF: 0.48, Blend("last_year", 0.5): 0.475}, Blend("last_year", 0.5)),  # the better half
        ({WHOLE: 0.3}, WHOLE),
        ({HALF: 0.499, WHOLE: 0.498}, WHOLE),  # never worse than a baseline, by however little
    ],
)
def test_a_baseline_has_a_part_where_it_is_clearly_better(better: dict[Blend, float], used: Blend) -> None:
    errors = dict.fromkeys(BLENDS, 0.9) | {Blend(): 0.5} | better
    assert choose_blend(tried(errors), "mean") == used


def test_what_is_chosen_is_never_worse_than_a_baseline() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        errors = {blend: float(rng.uniform(0.5, 0.55)) for blend in (Blend(), *BLENDS)}
        used = choose_blend(tried(errors), "mean")
        assert errors[used] <= min(errors[Blend(name, 1.0)] for name in ("same_rate", "last_year"))
        assert used.scores["used"] == pytest.approx(errors[used])


def test_nothing_is_chosen_without_a_past() -> None:
    assert choose_blend([], "mean") == Blend()
    assert choose_blend(tried({Blend(): 0.5}), "other") == Blend()


@pytest.mark.parametrize(
    ("pairs", "help_"),
    [([], False), ([(0.5, 0.45)], True), ([(0.5, 0.495)], False), ([(0.5, 0.3), (0.5, 0.51), (0.5, 0.51)], False)],
)
def test_first_purchases_count_where_they_clearly_help(pairs: list[tuple[float, float]], help_: bool) -> None:
    assert first_purchases_help([SpendTried("2024-01-01", *pair) for pair in pairs]) is help_


def test_without_covariates_a_baseline_has_its_part_beside_the_model_without() -> None:
    names = ("mean", "mean without covariates", "last_year")
    with_parts = [*names, *(HALF.of(name) for name in names[:2])]
    made = [
        dataclasses.replace(tried({Blend(): 0.5})[0], model=name, mae=place) for place, name in enumerate(with_parts)
    ]
    plain = {row.model: row.mae for row in Origins(made, [], []).without_levels().forecasts}
    assert plain == {
        "mean with covariates": 0, "mean": 1, "last_year": 2, HALF.of("mean with covariates"): 3, HALF.of("mean"): 4,
    }  # fmt: skip


@pytest.mark.parametrize("blend", BLENDS)
def test_weights_bring_a_baseline_to_the_total_of_the_model(blend: Blend, tmp_path: Path) -> None:
    known = pd.DataFrame(
        {
            "frequency": [0, 1, 3, 3], "recency_days": [0, 10, 80, 80], "age_days": [50, 50, 100, 100],
            "cell": [0, 0, 0, 1],
            "spend": [10.0, 30.0, -5.0, 80.0],
            "purchases_before": [1, 2, 0, 4], "spend_before": [10.0, 30.0, -20.0, 80.0],
        }
    )  # fmt: skip
    model = np.array([0.2, 1.0, 2.0, 2.5])
    parts = expressions(blend.baseline, 100, 0.5)
    with Engine(tmp_path / "lake.duckdb", tmp_path / "published.duckdb").write() as session:
        session.load_frame("known", known)
        session.load_frame("scored", known.iloc[:, :4].assign(expected_purchases=model))
        found = weights(session, blend, table("known"), table("scored"), parts | {"expected_spend": 7.0})
    if blend.baseline == "last_year":
        bought, spent = np.array([0.5, 1.0, 0, 2.0]), np.array([5.0, 15.0, 0, 40.0])
    else:
        bought, spent = np.array([0, 2.0, 3.0, 3.0]), np.array([0, 2 * 15.0, 0, 3 * 20.0])
    assert found.baseline_total == pytest.approx(bought.sum())
    purchases = found.kept * model.sum() + found.purchases * bought.sum()
    spend = found.kept * 7 * model.sum() + found.spend * spent.sum()
    whole, whole_spend = (model.sum(), 7 * model.sum()) if blend.scaled else (bought.sum(), spent.sum())
    assert purchases == pytest.approx((1 - blend.share) * model.sum() + blend.share * whole)
    assert spend == pytest.approx((1 - blend.share) * 7 * model.sum() + blend.share * whole_spend)


@pytest.fixture(scope="module")
def yearly(tmp_path_factory: pytest.TempPathFactory):
    """A shop whose customers buy the same on the same days of each year; but what they spend first tells nothing."""
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("yearly")
    rows = []
    for customer in range(240):
        days = np.sort(rng.choice(365, rng.integers(1, 9), replace=False))
        spent = rng.uniform(5, 60, len(days)).round(2)
        for year, (number, day) in itertools.product(range(YEARS), enumerate(days)):
            amount = float(rng.uniform(1, 900) if year == number == 0 else spent[number])
            rows.append((f"c{customer}", FIRST + dt.timedelta(days=int(day) + 365 * year), amount))
    as_of = FIRST + dt.timedelta(days=365 * YEARS)
    params = f"as_of: {as_of}\n{SWITCHED_ON}  model: auto\n  origins: 2\n  minimum: {{customers: 1}}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = shop(folder, rows, params)
        yield workbook, predict(workbook), rows, as_of


def test_where_last_year_comes_again_it_is_the_forecast(yearly) -> None:
    workbook, made, rows, as_of = yearly
    assert dataclasses.replace(made.blend, baseline="last_year", share=1.0) == made.blend
    assert made.blend.scores["used"] <= made.blend.scores["last_year"] < made.blend.scores["model"]
    assert "bought in the last year" in sentence(made, "baseline_used")
    last = [row for row in rows if row[1] >= as_of - dt.timedelta(days=365)]
    bought, spent = pd.Series([row[0] for row in last]).value_counts(), {}
    for name, _, amount in last:
        spent[name] = spent.get(name, 0) + amount
    values = workbook.query("lifetime.customer_lifetime_value").set_index("customer_id")
    assert (values["expected_purchases"] - bought).abs().max() < 0.02
    assert (values["expected_purchases"] * values["expected_spend"] - pd.Series(spent)).abs().max() < 0.5
    discount = sum(1.1 ** (-month / 12) for month in range(1, 13)) / 12
    worth = 0.3 * discount * pd.Series(spent)[values.index]
    assert values["lifetime_value"].to_numpy() == pytest.approx(worth, rel=0.01)
    assert values["probability_purchase"].between(0, 1, inclusive="neither").all()


def test_all_that_is_made_of_the_forecast_adds_up_to_it(yearly) -> None:
    workbook, made, _, _ = yearly
    values = workbook.query("lifetime.customer_lifetime_value")
    logged = workbook.query("lifetime.forecast", month=12)
    assert logged["expected_purchases"].sum() == pytest.approx(values["expected_purchases"].sum())
    spend = (values["expected_purchases"] * values["expected_spend"]).sum()
    assert logged["expected_spend"].sum() == pytest.approx(spend)
    assert workbook.query("lifetime.plan_by_month")["known"].sum() == pytest.approx(spend, rel=0.02)
    assert made.totals[0].forecast == pytest.approx(values["lifetime_value"].sum())
    assert set(logged["model"]) == {made.blend.of(made.model)}


def test_what_is_spent_first_counts_only_where_it_tells_of_the_next(yearly) -> None:
    _, made, _, _ = yearly
    assert made.spends == []
    assert not made.spend_fit.of_first
