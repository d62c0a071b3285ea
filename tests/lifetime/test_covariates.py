"""Covariates: planted factors are recovered, of none none is said, and what cannot be one is named in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_lifetime_diagnostics import codes, predict, sentence

from clv_helpers import ingest, lifetime
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.counts import CellHistories
from clv_helpers.lifetime.covariate_levels import clearest
from clv_helpers.lifetime.covariates import PRIOR, WithCovariates, of_cell
from clv_helpers.lifetime.fitting import PURCHASE_MODELS, fit
from clv_helpers.lifetime.records import Factor, Level, LifetimeRecord

LEVELS = [
    Level("country", "France", 0, 0, 0), Level("country", "Spain", 0, 1, 0), Level("country", "Italy", 0, 2, 0),
    Level("channel", "web", 1, 0, 0), Level("channel", "shop", 1, 1, 0),
]  # fmt: skip
RATES = {(0, 1): 1.8, (0, 2): 1.0, (1, 1): 0.6}
DROPOUTS = {(0, 1): 1.0, (0, 2): 2.0, (1, 1): 1.0}
TRUTH = {"mbg_nbd": (0.8, 10.0, 0.5, 2.0), "pareto_nbd": (0.8, 10.0, 0.7, 40.0)}


def customers(model: str, number: int, seed: int, planted: bool = True) -> CellHistories:
    """Customers in continuous time, each in a cell, whose rates and dropout the factors of its levels multiply."""
    rng = np.random.default_rng(seed)
    r, alpha, third, fourth = TRUTH[model]
    country, channel = rng.integers(0, 3, number), rng.integers(0, 2, number)
    rate_factor, dropout_factor = np.ones(number), np.ones(number)
    for position, places in enumerate((country, channel)):
        for place in range(1, 3):
            has = places == place
            rate_factor[has] *= RATES.get((position, place), 1.0) if planted else 1.0
            dropout_factor[has] *= DROPOUTS.get((position, place), 1.0) if planted else 1.0
    age, rate = rng.uniform(20, 90, number), rng.gamma(r, 1 / alpha, number) * rate_factor
    gone, drops = np.full(number, np.inf), np.zeros(number)
    if model == "pareto_nbd":
        gone = rng.exponential(1 / (rng.gamma(third, 1 / fourth, number) * dropout_factor))
    else:
        drops = rng.beta(third * dropout_factor, fourth)
    x, last, moment = np.zeros(number), np.zeros(number), np.zeros(number)
    there = rng.random(number) >= drops
    while there.any():
        moment = moment + rng.exponential(1 / rate)
        there &= moment < np.minimum(gone, age)
        x, last = x + there, np.where(there, moment, last)
        there &= rng.random(number) >= drops
    return CellHistories(x, last, age, np.ones(number), country + 16 * channel)


@pytest.mark.parametrize("model", TRUTH)
def test_planted_factors_are_recovered(model: str) -> None:
    """And what the factors do to the parameters of a cell is what its customers have."""
    found = fit(model, customers(model, 5_000, seed=3), levels=LEVELS)
    assert [(each.position, each.place) for each in found.factors] == [(0, 1), (0, 2), (1, 1)]
    for each in found.factors:
        for value, error, truth in (
            (each.rate, each.rate_error, RATES[each.position, each.place]),
            (each.dropout, each.dropout_error, DROPOUTS[each.position, each.place]),
        ):
            assert error is not None
            assert abs(math.log(value / truth)) < 2 * error < 1.2
    shop_in_spain = of_cell(found, 0x11)
    own = found.parameters["alpha"] / found.factors[0].rate / found.factors[2].rate
    assert shop_in_spain.parameters["alpha"] == pytest.approx(own)
    assert of_cell(found, 0).parameters == found.parameters


@pytest.mark.parametrize("model", [*TRUTH, "mbg_cnbd_k"])
def test_the_gradient_is_that_of_the_likelihood(model: str) -> None:
    of = WithCovariates(PURCHASE_MODELS[model], tuple(level for level in LEVELS if level.place))
    data = customers("mbg_nbd", 400, seed=5)
    theta = np.array([0.7, 9.0, 0.6, 3.0, 1.5, 0.8, 0.7, 1.2, 0.9, 1.1])
    _, gradient = of.log_likelihood(theta, data)
    for place, unit in enumerate(np.eye(len(theta)) * 1e-5):
        more, less = (of.log_likelihood(theta + step, data)[0] for step in (unit, -unit))
        assert gradient[place] == pytest.approx((more - less) / 2e-5, rel=1e-4, abs=1e-4)


def test_without_an_effect_none_is_said() -> None:
    """Of shops without any, one in twenty may be told one; and the 80 % intervals of their factors hold 1 as often."""
    found = [fit("mbg_nbd", customers("mbg_nbd", 500, seed, planted=False), levels=LEVELS) for seed in range(30)]
    assert sum(clearest(each.factors) is not None for each in found) <= 4
    inside = [
        abs(math.log(factor.rate)) < 1.2816 * factor.rate_error
        for each in found
        for factor in each.factors
        if factor.rate_error
    ]
    assert 0.68 < np.mean(inside) < 0.92


def test_a_level_of_whom_nobody_came_back_stays_finite() -> None:
    data = customers("mbg_nbd", 1_000, seed=8)
    never = np.where(data.cell % 16 == 2, 0.0, 1.0)
    data = CellHistories(data.frequency * never, data.recency * never, data.age, data.customers, data.cell)
    found = fit("mbg_nbd", data, levels=LEVELS)
    assert math.exp(-5 * PRIOR) < found.factors[1].rate < 0.5


def test_only_a_clear_factor_is_said() -> None:
    spain, italy = (
        Factor("country", name, 0, place, 1.5, 1.0, 0.1, 0.1) for place, name in ((1, "Spain"), (2, "Italy"))
    )
    assert clearest([spain]) == spain
    assert clearest([Factor("country", "Italy", 0, 2, 1.2, 1.0, 0.1, 0.1)]) is None
    assert clearest([Factor("country", "Italy", 0, 2, 1.2, 1.0, None, None), italy]) == italy
    assert clearest([]) is None


SHOP = """title: Shop
sources:
  purchases:
    path: purchases.csv
    columns:
      customer_id: customer
      occurred_at: day
      amount: spent
      channel: {from: channel, type: text}
      coupon: {from: coupon, type: text}
  customers:
    path: customers*.csv
    columns: {customer_id: customer, region: region, newsletter: {from: newsletter, type: boolean}}
attributes:
  visits: {count: purchases}
lifetime:
  covariates: [region, channel]
  minimum: {quiet_days: 60}
  origins: 2
"""
FIRST, DAYS = np.datetime64("2023-01-02"), 700


def write(folder: Path, effect: float, number: int = 1_500, until: int = 200, shape: float = 1.0) -> Path:
    """A shop, the customers of whose south come `effect` times as often; channel and coupon tell nothing.

    Nobody says where one in thirty lives; of the channels, `phone` is rare; each purchase has a coupon of its own, and
    the channel of later purchases is another. `until`: the last day on which one comes first.
    """
    rng = np.random.default_rng(6)
    rows, people = ["customer,day,spent,channel,coupon"], ["customer,region,newsletter"]
    for customer in range(number):
        region, channel = rng.choice(["north", "south", ""], p=[0.6, 0.36, 0.04]), rng.choice(["web", "shop"])
        rate = rng.gamma(shape, 0.02 / shape) * (effect if region == "south" else 1.0)
        day, drops = float(rng.integers(0, until)), rng.beta(0.5, 3)
        people.append(f"c{customer},{region},{rng.random() < 0.5}")
        first = "phone" if customer < 8 else channel
        while day < DAYS:
            rows.append(f"c{customer},{FIRST + int(day)},{rng.gamma(4, 5):.2f},{first},{len(rows)}")
            first = "app"
            if rng.random() < drops:
                break
            day += 1 + rng.exponential(1 / rate)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "purchases.csv").write_text("\n".join(rows) + "\n")
    (folder / "customers.csv").write_text("\n".join(people) + "\n")
    (folder / "shop.yml").write_text(SHOP)
    return folder / "shop.yml"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workbook, LifetimeRecord]]:
    folder = tmp_path_factory.mktemp("covariates")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(write(folder, effect=2.0))
        yield workbook, predict(workbook)


def test_levels_are_what_was_said_first(planted: tuple[Workbook, LifetimeRecord]) -> None:
    """Who said nothing has a level of their own, and the few of one channel count as the base."""
    workbook, record = planted
    assert [(each.covariate, each.level) for each in record.levels] == [
        ("region", "north"), ("region", "south"), ("region", "unknown"), ("channel", "web"), ("channel", "shop"),
    ]  # fmt: skip
    assert sum(each.customers for each in record.levels if each.covariate == "region") == 1_500
    said = workbook.query("lifetime.customer_covariate", covariate="channel")
    assert set(said["value"]) == {"web", "shop", "phone"}  # none of the app's, by which all came again
    cells = workbook.query("lifetime.customer_cell")
    assert sorted(cells["cell"].unique()) == [0, 1, 2, 16, 17, 18]


def test_a_planted_effect_is_found_and_said(planted: tuple[Workbook, LifetimeRecord]) -> None:
    workbook, record = planted
    rows = workbook.query("lifetime.covariate_effect", order_by="position, place").set_index("level")
    south, web, shop = (rows.loc[level] for level in ("south", "web", "shop"))
    error = next(each.rate_error for each in record.purchase_fit.factors if each.level == "south")
    assert error is not None
    assert abs(math.log(south["rate_factor"] / 2)) < 2 * error < 0.3
    assert south["rate_low"] < south["rate_factor"] < south["rate_high"]
    assert tuple(web[["rate_factor", "rate_low", "rate_high", "dropout_factor"]]) == (1, 1, 1, 1)
    assert abs(math.log(shop["rate_factor"])) < 0.3
    assert sentence(record, "covariate_effect").startswith(
        f"As long as they have not left, customers whose region is south buy at {south['rate_factor']:.2f} times the "
        "rate (80 % interval "
    )
    assert "south" in lifetime.models(workbook).bundle["text/plain"]


def test_values_follow_the_cell(planted: tuple[Workbook, LifetimeRecord]) -> None:
    """Of those with the same history, who comes from where one comes more often is given more."""
    workbook, _ = planted
    scores = workbook.query("lifetime.score")
    pairs = scores[scores["cell"] == 0].merge(
        scores[scores["cell"] == 1], on=["frequency", "recency_days", "age_days"], suffixes=("_north", "_south")
    )
    south, north = (pairs[f"expected_purchases_{of}"] / pairs[f"probability_alive_{of}"] for of in ("south", "north"))
    assert len(pairs) > 20
    assert (south > 1.02 * north).all()
    value, history = (workbook.query(f"lifetime.customer_{name}") for name in ("lifetime_value", "history"))
    assert len(value) == len(history)
    plan = workbook.query("lifetime.plan_by_month")
    assert (plan["known"].dropna() > 0).all()


@pytest.mark.parametrize(
    ("covariates", "said"),
    [
        ("[regio]", "lifetime.covariates is 'regio'; allowed: region"),
        ("[days_since_purchase]", "lifetime.covariates is 'days_since_purchase', which changes with the purchases; "
         "allowed: region, newsletter, channel, coupon"),
        ("[visits]", "lifetime.covariates is 'visits', which changes with the purchases; allowed: region, newsletter, "
         "channel, coupon"),
        ("[email]", "lifetime.covariates is 'email'; allowed: region, newsletter, channel, coupon"),
        ("[region, region]", "lifetime.covariates is 'region' twice; allowed: once"),
        ("[region]\n  contract: month", "covariates is ['region']; allowed with contract: none"),
    ],
)  # fmt: skip
def test_what_can_be_no_covariate_is_named(tmp_path: Path, covariates: str, said: str) -> None:
    file = write(tmp_path, 1.0, 3)
    file.write_text(SHOP.replace("[region, channel]", covariates))
    with pytest.raises(ParamsError) as caught:
        Workbook.open(file)
    assert said in str(caught.value)


def test_what_tells_nothing_or_changes_is_not_used_and_said(tmp_path: Path, outputs: Path) -> None:
    workbook = Workbook.open(
        write(tmp_path, 1.0, 700),
        overrides={"lifetime.covariates": ["coupon", "region", "newsletter"], "lifetime.origins": 0},
    )
    ingest.ingest_files(workbook)
    people = (tmp_path / "customers.csv").read_text()
    (tmp_path / "customers_later.csv").write_text(people.replace("north", "east").replace("True", "False"))
    record = predict(workbook)
    said = [each.sentence for each in record.warnings if each.code == "covariate_not_used"]
    assert len(said) == 3
    assert said[0].startswith(
        "lifetime.covariates is coupon, of which no 12 values or fewer hold half of the customers"
    )
    assert said[1].startswith("lifetime.covariates is region, which later batches changed for 6")
    assert said[2].startswith("lifetime.covariates is newsletter, which later batches changed for ")
    assert not record.levels
    assert not record.purchase_fit.factors
    assert record.status == "predicted"


@pytest.mark.slow
@pytest.mark.parametrize("effect", [3.0, 1.0])
def test_auto_uses_them_where_earlier_cut_offs_were_nearer(tmp_path: Path, outputs: Path, effect: float) -> None:
    workbook = Workbook.open(
        write(tmp_path, effect, 2_500, until=650, shape=3.0),
        overrides={"lifetime.model": "auto", "lifetime.covariates": ["region"], "lifetime.horizon_months": 3},
    )
    record = predict(workbook)
    used = bool(record.levels)
    assert used == ("covariates_used" in codes(record))
    assert used or effect == 1
    assert ("covariate_effect" in codes(record)) == (effect == 3)
    assert any(each.factors for each in record.purchase_fit.each) == used
    table = workbook.query("lifetime.origin")
    models, totals = set(table["model"]), table.pivot_table("forecast", ["known_by", "cut_off", "measure"], "model")
    scaled = totals[f"{record.model}, 50% same_rate to its total"]
    assert scaled.to_numpy() == pytest.approx(totals[record.model].to_numpy(), rel=1e-6)
    assert {name.split(",")[0] for name in models if "," in name} == {record.model}
    other = " without covariates" if used else " with covariates"
    assert {"mbg_cnbd_k", f"mbg_cnbd_k{other}", f"mean{other}", "same_rate"} <= models
