"""Subscriptions: a planted retention is recovered through the lake, and what cannot be told is said in a sentence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_lifetime_diagnostics import Row, codes, predict, sentence, shop

from clv_helpers import lifetime
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.contract import nothing_to_renew
from clv_helpers.lifetime.contract_scoring import ahead
from clv_helpers.lifetime.contract_tables import PERIODS, share_later
from clv_helpers.lifetime.records import LifetimeRecord
from clv_helpers.lifetime.shifted_beta_geometric import Contracts, retention

ALPHA, BETA = 1.2, 8.0
START, END = dt.date(2022, 1, 1), dt.date(2025, 1, 1)
ASKED = """as_of: 2025-01-01
words: {purchase: payment}
lifetime:
  contract: true
  margin: 0.5
  minimum: {customers: 1, history_days: 1, with_three_purchases: 0, quiet_days: 4000}
"""


def subscription(
    customers: int, alpha: float = ALPHA, beta: float = BETA, *, days: float = 30.4375, late: int = 3, seed: int = 3
) -> list[Row]:
    """A row per payment of customers who begin on any day, and at each renewal leave with an own probability."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for customer in range(customers):
        begins, leaves, price = int(rng.integers(0, 1_000)), rng.beta(alpha, beta), float(rng.choice([10.0, 25.0]))
        renewal = 0
        while (day := begins + round(renewal * days) + (int(rng.integers(0, late + 1)) if renewal else 0)) < 1_096:
            rows.append((f"c{customer}", START + dt.timedelta(days=day), price))
            if rng.random() < leaves:
                break
            renewal += 1
    return rows


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workbook, LifetimeRecord]:
    """A monthly subscription of 1,500 customers, predicted; tests only read it."""
    folder = tmp_path_factory.mktemp("subscription")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = shop(folder, subscription(1_500), ASKED)
        yield workbook, predict(workbook)


def test_a_planted_retention_is_recovered(predicted: tuple[Workbook, LifetimeRecord]) -> None:
    _, record = predicted
    assert (record.status, record.title, record.contract.period) == ("predicted", "Shifted beta-geometric", "month")
    (low, high), (lowest, highest) = record.purchase_fit.intervals.values()
    assert low < ALPHA < high
    assert lowest < BETA < highest
    truth = retention(np.array([ALPHA, BETA]), np.arange(24))
    assert retention(record.purchase_fit.theta, np.arange(24)) == pytest.approx(truth, abs=0.015)
    assert "retention_alike" not in codes(record)
    assert "contract_gaps" not in codes(record)
    assert "monthly, as the payments tell: 100% of the gaps" in sentence(record, "contract_period")


def test_the_holdout_stands_beside_the_last_rate(predicted: tuple[Workbook, LifetimeRecord]) -> None:
    """Nothing moves in this shop, so what is forecast of 366 days comes, within four per cent."""
    _, record = predicted
    held = record.contract.holdout
    ours, naive = held.errors
    assert (ours.series, naive.series) == ("Shifted beta-geometric", "Same rate as last")
    assert abs(ours.bias) < 0.04
    assert ours.rmse < naive.rmse
    assert not {"worse_than_baseline", "large_bias"} & codes(record)


def test_the_width_of_the_total_is_learned_from_earlier_renewals(predicted: tuple[Workbook, LifetimeRecord]) -> None:
    workbook, record = predicted
    tried = workbook.query("lifetime.origin")
    assert len(tried) == record.totals[0].origins == record.totals[1].origins >= 4
    assert (tried["forecast"] / tried["actual"]).to_numpy() == pytest.approx(1.0, abs=0.2)
    assert record.totals[1].level_spread < 0.15  # than without a past


def test_values_are_those_of_renewals(predicted: tuple[Workbook, LifetimeRecord]) -> None:
    """Of each customer, against the formula written out: a year's renewals, discounted from their days, at margin."""
    workbook, record = predicted
    values = workbook.query("lifetime.customer_lifetime_value").set_index("customer_id")
    contracts = workbook.query("lifetime.customer_contract").set_index("customer_id")
    assert len(values) == len(contracts) == record.contract.contracts == record.customers
    ended = contracts["is_lost"] == 1
    assert (values.loc[ended.index[ended], ["probability_alive", "lifetime_value"]] == 0).all(axis=None)
    alpha, beta = record.purchase_fit.theta
    fresh = contracts[(contracts["days_since"] <= 20)].head(50)  # nobody pays twice in twenty days
    for customer, row in fresh.iterrows():
        there, expected, worth = 1.0, 0.0, 0.0
        for number in range(1, 14):
            made = row["renewals"] + number - 1
            there *= (beta + made) / (alpha + beta + made)
            due = round(number * 365.25 / 12 - row["days_since"])
            if due <= 365:
                expected, worth = expected + there, worth + there * 1.1 ** (-due / 365.25)
        assert values.at[customer, "expected_purchases"] == pytest.approx(expected)
        assert values.at[customer, "lifetime_value"] == pytest.approx(worth * row["spend_per_period"] * 0.5)
        assert values.at[customer, "probability_alive"] == 1
        due = pd.Timestamp(row["last_on"]) + pd.Timedelta(days=30)
        assert (values.at[customer, "next_purchase_expected"], values.at[customer, "value_at_risk"]) == (due, 0)
    assert set(values["expected_spend"].round(2)) == {10.0, 25.0}
    assert values["decile_predicted"].value_counts().tolist() == [150] * 10
    profile = workbook.query("profile.customer").set_index("customer_id")
    assert profile["lifetime_value"].sum() == pytest.approx(values["lifetime_value"].sum())


def test_tables_agree_with_each_other(predicted: tuple[Workbook, LifetimeRecord]) -> None:
    workbook, record = predicted
    total = workbook.query("lifetime.customer_lifetime_value")[["expected_purchases", "lifetime_value"]].sum()
    cohorts, ages = workbook.query("lifetime.contract_cohort"), workbook.query("lifetime.contract_age")
    assert cohorts["lifetime_value"].sum() == pytest.approx(total["lifetime_value"])
    assert (cohorts["renewal_value"] >= cohorts["lifetime_value"]).all()  # for good, so not less than for a year
    assert ages["customers"].sum() == record.contract.running
    assert ages["residual_renewals"].is_monotonic_increasing
    forecast = workbook.query("lifetime.forecast")
    year = forecast[forecast["month"] == 12]
    assert year["customers"].sum() == record.customers
    assert year["expected_purchases"].sum() == pytest.approx(total["expected_purchases"])
    curve = workbook.query("lifetime.contract_survival")
    actual, model = (curve[curve["series_order"] == order].set_index("renewal") for order in (1, 2))
    assert (actual["customers"] >= workbook.params.min_cell).all()
    assert (actual["share_surviving"] - model["share_surviving"]).dropna().abs().max() < 0.03


def test_notebook_shows_the_survival_curve(predicted: tuple[Workbook, LifetimeRecord]) -> None:
    workbook, _ = predicted
    shown = lifetime.holdout(workbook).bundle["text/plain"]
    assert "of new contracts are renewed 12 times or more" in shown
    assert "At the retention of the last period they would have been" in shown
    assert "Shifted beta-geometric expects" in lifetime.values(workbook).bundle["text/plain"]
    assert "2 " in lifetime.models(workbook).bundle["text/plain"]


@pytest.mark.parametrize(
    ("renewed", "lost", "running", "said"),
    [
        ([0], [0], [0], "no monthly contract has come to a renewal yet"),
        ([3, 9], [0, 0], [3], "every monthly contract was renewed each time"),
        ([1, 2], [1, 1], [], "no monthly contract runs any more"),
        ([0, 1], [1, 0], [1], "no monthly contract has come to a second renewal"),
    ],
)
def test_renewals_that_tell_nothing(renewed: list[int], lost: list[int], running: list[int], said: str) -> None:
    contracts = Contracts(np.array(renewed, float), np.array(lost, float), np.full(len(lost), 40.0))
    (reason,) = nothing_to_renew(contracts, pd.DataFrame({"renewals": running}), PERIODS["month"])
    assert said in reason
    enough = Contracts(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0]), np.ones(3))
    assert nothing_to_renew(enough, pd.DataFrame({"renewals": [2]}), PERIODS["month"]) == []


def test_purchases_without_a_period_are_no_contracts(outputs: Path, tmp_path: Path) -> None:
    rows = [(f"c{n}", START + dt.timedelta(days=500 + k * k * 17), 5) for n in range(40) for k in range(5)]
    workbook = shop(tmp_path, rows, ASKED)
    record = predict(workbook)
    assert record.status == "refused"
    assert (
        "the days between two payments fit no period of a contract (0% a week, 0% a month, 25% a quarter"
        in record.refused[0]
    )
    assert workbook.query("lifetime.customer_lifetime_value").empty
    assert "fit no period" in lifetime.values(workbook).bundle["text/plain"]


def test_contracts_with_gaps_and_all_alike_are_told(outputs: Path, tmp_path: Path) -> None:
    """Yearly contracts, each ending with the same probability; a fifth of the customers come back two years on."""
    rng, rows = np.random.default_rng(2), []
    for customer in range(600):
        day, returns = dt.date(2008, 1, 1) + dt.timedelta(days=int(rng.integers(0, 3_000))), customer % 5 == 0
        while day < END:
            rows.append((f"c{customer}", day, 100))
            if rng.random() < 0.25:
                if not returns:
                    break
                day, returns = day + dt.timedelta(days=730), False
                continue
            day += dt.timedelta(days=365)
    workbook = shop(tmp_path, rows, ASKED)
    record = predict(workbook)
    assert (record.status, record.contract.period) == ("predicted", "year")
    assert "contracts were taken up again" in sentence(record, "contract_gaps")
    assert retention(record.purchase_fit.theta, np.array([0, 5])) == pytest.approx([0.75, 0.75], abs=0.06)
    contracts = workbook.query("lifetime.customer_contract")
    assert record.contract.contracts == len(contracts) > contracts["customer_id"].nunique() == record.customers
    assert (contracts.groupby("customer_id")["is_last"].sum() == 1).all()


def test_who_is_overdue_is_less_likely_to_pay() -> None:
    """Of payments that come 30 to 32 days after the last, a third are left after 31: chances fall with the wait."""
    gaps, month = pd.DataFrame({"days": [30, 31, 32, 400], "gaps": [10, 10, 10, 3]}), PERIODS["month"]
    running = pd.DataFrame({"renewals": [0, 0, 0], "days_since": [5, 31, 32]})
    later = share_later(gaps, month, running["days_since"].to_numpy(float))
    assert later == pytest.approx([1, 1 / 3, 0])
    chance = ahead(np.full(9, 0.9), running, month, 40, later).chance[:, 0]
    assert chance == pytest.approx([0.9, 0.3 / (0.3 + 0.1), 0])


def test_a_contract_takes_no_model_of_purchases(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="'pareto_nbd', of customers without a contract; allowed with contract: none"):
        shop(tmp_path, [], "lifetime: {contract: month, model: pareto_nbd}\n")
    with pytest.raises(ParamsError, match=r"lifetime.contract"):
        shop(tmp_path, [], "lifetime: {contract: fortnight}\n")
