"""Spend to come by month, from known customers and from new ones, against a simulation that goes on."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clv_helpers import ingest, lifetime, models
from clv_helpers.charts.show import BOARD_MIME
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import static_board
from clv_helpers.lifetime.plan import Months, Newcomers, carried_on, of_new
from clv_helpers.lifetime.records import Ahead, Fit
from conftest import write_shop

START, AS_OF = pd.Timestamp("2022-01-01"), pd.Timestamp("2024-01-01")
SPEND = 20.0


def simulated(new_by_month: np.ndarray, seed: int) -> pd.DataFrame:
    """Purchases of MBG/NBD customers, so many new ones each month, for 20 EUR each on the mean: past and future."""
    rng = np.random.default_rng(seed)
    months = pd.date_range(START, periods=len(new_by_month) + 1, freq="MS")
    days = [rng.integers((a - START).days, (b - START).days, n)
            for a, b, n in zip(months[:-1], months[1:], new_by_month, strict=False)]  # fmt: skip
    first = np.concatenate(days).astype(float)
    end, people = (months[-1] - START).days, np.arange(len(first))
    rate, drop, mean = rng.gamma(1.2, 1 / 60, len(first)), rng.beta(0.8, 4, len(first)), rng.gamma(5, 4, len(first))
    rows, moment, there = [], first, np.ones(len(first), bool)
    while there.any():
        rows.append(pd.DataFrame({"customer": people[there], "day": moment[there], "mean": mean[there]}))
        there = there & (rng.random(len(first)) >= drop)
        moment = moment + rng.exponential(1 / rate)
        there &= moment < end
    bought = pd.concat(rows)
    return bought.assign(
        day=START + pd.to_timedelta(np.floor(bought["day"]), "D"),
        spent=np.round(rng.gamma(8, bought["mean"] / 8), 2).clip(0.01),
    )[["customer", "day", "spent"]]


def planned(folder: Path, bought: pd.DataFrame, as_of: str = "2024-01-01", horizon: int = 12) -> Workbook:
    extra = f"lifetime:\n  horizon_months: {horizon}\n  model: mbg_nbd\n"
    csv = bought[bought["day"] < as_of].sort_values(["day", "customer"]).to_csv(index=False, date_format="%Y-%m-%d")
    workbook = Workbook.open(write_shop(folder, csv, extra), as_of=as_of)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    assert lifetime.refresh(workbook).status == "predicted"
    return workbook


def came(bought: pd.DataFrame) -> pd.DataFrame:
    """What each month of the future brought: from those known on as_of, and from others."""
    known = bought["customer"].isin(bought.loc[bought["day"] < AS_OF, "customer"])
    ahead = bought.assign(known=known, month=bought["day"].dt.to_period("M").dt.to_timestamp())
    return ahead[ahead["day"] >= AS_OF].pivot_table("spent", "month", "known", "sum", fill_value=0.0)


GROWING = np.rint(60 * 1.02 ** np.arange(36)).astype(int)
STEADY = np.full(36, 90)


@pytest.mark.parametrize("new_by_month", [GROWING, STEADY], ids=["growing", "steady"])
def test_plan_meets_what_the_simulation_brings(outputs: Path, tmp_path: Path, new_by_month: np.ndarray) -> None:
    bought = simulated(new_by_month, seed=3)
    workbook = planned(tmp_path, bought)
    plan, truth = workbook.query("lifetime.plan_by_month", order_by="month"), came(bought)
    assert [str(month)[:7] for month in plan["month"]] == [f"2024-{number:02}" for number in range(1, 13)]
    assert plan["known"].sum() == pytest.approx(truth[True].sum(), rel=0.12)
    assert plan["new"].sum() == pytest.approx(truth[False].sum(), rel=0.15)
    assert np.abs(plan["total"].to_numpy() / truth.sum(axis=1).to_numpy() - 1).mean() < 0.12
    # known customers leave, new ones add up
    assert plan["known"].iloc[-1] < plan["known"].iloc[0]
    assert plan["new"].iloc[-1] > plan["new"].iloc[0]
    past = bought[(bought["day"] >= "2023-01-01") & (bought["day"] < AS_OF)]
    assert plan["last_year"].sum() == pytest.approx(past["spent"].sum())
    codes = {each.code for each in lifetime.record(workbook).warnings}
    assert not codes & {"no_newcomers", "months_of_nothing", "refunds_beyond_sales"}
    values = workbook.query("lifetime.customer_lifetime_value")
    all_months = (values["expected_purchases"] * values["expected_spend"]).sum()
    assert plan["known"].sum() == pytest.approx(all_months, rel=0.01)  # 366 days here, 365.25 there


def test_where_a_part_of_a_month_is_left_the_plan_begins_with_the_next(outputs: Path, tmp_path: Path) -> None:
    plan = planned(tmp_path, simulated(STEADY, seed=4), "2023-12-11", 3).query("lifetime.plan_by_month", "month")
    assert [str(month)[:7] for month in plan["month"]] == ["2024-01", "2024-02", "2024-03"]
    assert plan["last_year"].notna().all()


def said(workbook: Workbook) -> dict[str, str]:
    return {each.code: each.sentence for each in lifetime.record(workbook).warnings}


def test_too_short_an_acquisition_history_plans_known_customers_alone(outputs: Path, tmp_path: Path) -> None:
    workbook = planned(tmp_path, simulated(np.full(9, 90), seed=5), "2022-07-05", 3)
    plan = workbook.query("lifetime.plan_by_month", "month")
    assert (plan["known"] > 0).all()
    assert plan[["new", "total", "last_year"]].isna().all(axis=None)
    assert said(workbook)["no_newcomers"] == (
        "What new customers will bring is not told: they are known for 5 whole months, and 6 are needed."
    )


def test_months_of_nothing_and_refunds_beyond_sales_are_said(outputs: Path, tmp_path: Path) -> None:
    bought = simulated(np.full(24, 50), seed=6)
    bought = bought[bought["day"].dt.strftime("%Y-%m") != "2023-03"]
    back = bought[bought["day"].dt.strftime("%Y-%m") == "2023-06"].assign(day=pd.Timestamp("2023-07-31"))
    workbook = planned(tmp_path, pd.concat([bought, back.assign(spent=-9 * back["spent"])]))
    sentences = said(workbook)
    assert sentences["months_of_nothing"] == (
        "1 month so far had no purchases: a month ahead is planned as if that does not come again."
    )
    assert sentences["refunds_beyond_sales"] == (
        "In 2023-07 refunds were more than sales: the same month a year later has a comparison below zero."
    )
    assert "no_newcomers" not in sentences  # carried on from 2023-04
    plan = workbook.query("lifetime.plan_by_month", "month").set_index("month")["last_year"]
    assert plan.isna().sum() == 1
    assert (plan < 0).sum() == 1


def test_new_customers_of_a_season_and_a_trend_are_carried_on() -> None:
    rng = np.random.default_rng(8)
    season = 1 + 0.4 * np.sin(np.arange(48) * np.pi / 6)
    counts = rng.poisson(400 * season * 1.01 ** np.arange(48)).astype(float)
    ahead = carried_on(counts[:36], 12)
    assert np.abs(ahead / counts[36:] - 1).mean() < 0.12
    flat = carried_on(rng.poisson(400, 36).astype(float), 12)  # neither is there
    assert np.abs(flat / 400 - 1).max() < 0.08
    falling = np.array([900.0, 500, 300, 150, 80, 40, 20, 5, 1, 0, 0, 0])
    assert carried_on(falling, 6).min() == 0.0
    assert carried_on(falling[:9], 2).tolist() == [np.mean([150, 80, 40, 20, 5, 1])] * 2  # no trend of nine months


def test_what_new_customers_spend_against_draws() -> None:
    """Months of arrival, the first of them the rest of this month, by simulation of each customer."""
    rng, people = np.random.default_rng(9), 60_000
    months = Months.ahead(dt.date(2024, 1, 17), 3)
    theta = {"r": 1.2, "alpha": 60 / 7, "a": 0.8, "b": 4.0}
    fitted = Fit("mbg_nbd", theta, dict.fromkeys(theta), dict.fromkeys(theta), 0.0, 1, 1)
    brought = of_new(fitted, months, Newcomers([], np.full(12, float(people)), 10.0), 30.0)
    expected = np.zeros(3)
    ends = months.days
    edges = np.concatenate([[0.0], ends])
    shares = [ends[0] / 31, 1, 1, 1]
    for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True):
        count = round(people * share)
        moment, there = rng.uniform(low, high, count), np.ones(count, bool)
        expected += 10 * np.histogram(moment, ends)[0]
        rate, drop = rng.gamma(1.2, 1 / 60, count), rng.beta(0.8, 4, count)
        while there.any():
            there &= rng.random(count) >= drop
            moment = moment + rng.exponential(1 / rate)
            there &= moment < ends[-1]
            expected += 30 * np.histogram(moment[there], ends)[0]
    assert brought == pytest.approx(expected, rel=0.02)


def test_new_customers_come_back_at_the_pace_of_the_season() -> None:
    months = Months.ahead(dt.date(2024, 11, 1), 3)
    theta = {"r": 1.2, "alpha": 60 / 7, "a": 0.8, "b": 40.0}
    even = Fit("mbg_nbd", theta, dict.fromkeys(theta), dict.fromkeys(theta), 0.0, 1, 1)
    seasonal = replace(even, ahead=Ahead("2024-11-01", [1.0] * 11 + [2.0]))
    came = Newcomers([], np.full(12, 100.0), 0.0)
    ratios = of_new(seasonal, months, came, 30.0) / of_new(even, months, came, 30.0)
    assert ratios == pytest.approx([1, 2, 1], abs=0.06)


def test_what_is_shown_is_what_the_tables_say(airline: Workbook) -> None:
    plan, risk = lifetime.plan(airline), lifetime.at_risk(airline)
    text = plan.parts[0].bundle["text/plain"]
    assert re.fullmatch(
        r"In the 12 months from [A-Z][a-z]+ \d{4} on, the members of today will bring [\d.]+ [kM] EUR and new ones "
        r"[\d.]+ [kM]; the same months a year before brought [\d.]+ [kM]\.",
        text,
    ), text
    title = plan.parts[-1].bundle["text/plain"]
    assert re.fullmatch(r"The members of today will still bring [\d.]+ [kM] EUR in December \d{4}", title), title
    values = airline.query("lifetime.customer_lifetime_value")
    late = values[values["overdue"] >= 0.9]
    said = risk.parts[0].bundle["text/plain"]
    assert f"{round(len(late) / 5) * 5:,} members are overdue" in said
    share = late["value_at_risk"].sum() / values["lifetime_value"].sum()
    if share >= 0.01:
        assert float(re.search(r"predicted value, ([\d.]+)%", said)[1]) / 100 == pytest.approx(share, abs=0.03)
    else:
        assert "Less than 1% of the predicted value" in said
    cards = static_board.board(airline, "forecast").bundle[BOARD_MIME]["cards"]
    assert title in [card["title"] for card in cards]
    assert "groups of fewer than 11 people are left out" in " ".join(card["subtitle"] for card in cards)
    overdue = airline.query("audiences.membership").query("audience == 'best_overdue'")["customer_id"]
    best = values[(values["decile_predicted"] <= 3) & (values["overdue"] >= 0.9)]["customer_id"]
    assert len(overdue) > 0
    assert set(overdue) <= set(best)
