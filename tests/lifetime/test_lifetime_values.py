"""What a customer is given: against an independent computation, and in the profile for audiences to use."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, gamma

from clv_helpers import lifetime
from clv_helpers.audiences.compile import to_customers
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.views import published_context
from clv_helpers.config import datasets as contract
from clv_helpers.config.validation import validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse, table
from clv_helpers.lifetime.fitting import PURCHASE_MODELS
from clv_helpers.lifetime.records import MEANS, Fit

DAYS_PER_MONTH = 365.25 / 12
COLUMNS = ["probability_alive", "expected_purchases", "expected_spend", "lifetime_value", "historic_value"]


def fit_of(workbook: Workbook, model: str) -> Fit:
    fits = lifetime.record(workbook).fits
    return next(fit for fit in fits if fit.data == "all" and fit.model == model)


def expected_by_integration(theta: np.ndarray, x: int, age: float, weeks: float, at_first: bool) -> float:
    """E[(1 - exp(-rate p t)) / p] over the posterior of who is still there, by quadrature: no formula of ours."""
    r, alpha, a, b = theta
    rates, drops = gamma(r + x, scale=1 / (alpha + age)), beta(a, b + x + at_first)
    grid = (np.arange(400) + 0.5) / 400
    points = rates.ppf(grid)

    def given_dropout(p: float) -> float:
        return float(np.mean(-np.expm1(-points * p * weeks) / p)) * drops.pdf(p)

    edges = [0, *drops.ppf([0.01, 0.1, 0.5, 0.9, 0.99]), 1]
    return sum(quad(given_dropout, low, high, limit=200)[0] for low, high in pairwise(edges))


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_values_against_an_independent_computation(name: str, request: pytest.FixtureRequest) -> None:
    workbook = request.getfixturevalue(name)
    record = lifetime.record(workbook)
    settings, model = record.settings, record.model
    fitted, of_spend = fit_of(workbook, model), fit_of(workbook, "gamma_gamma")
    p, q, scale = of_spend.theta
    customers = workbook.query("lifetime.customer_lifetime_value").set_index("customer_id").sort_index()
    history = workbook.query("lifetime.customer_history").set_index("customer_id").sort_index()
    assert list(customers.index) == list(history.index)
    x, age = history["frequency"].to_numpy(float), history["age_days"].to_numpy() / 7
    alive, bought, discounted = np.zeros((3, len(x)))
    for weight, part in zip(MEANS.get(model, (1.0,)), fitted.parts or [fitted], strict=True):
        formulas, before = PURCHASE_MODELS[part.model], np.zeros(len(x))
        there = weight * formulas.probability_alive(part.theta, x, history["recency_days"].to_numpy() / 7, age)
        for month in range(1, settings.horizon_months + 1):
            weeks = np.full(len(x), month * DAYS_PER_MONTH / 7)
            by_now = formulas.expected_if_alive(part.theta, x, age, weeks)
            discounted += there * (by_now - before) / (1 + settings.annual_discount_rate) ** (month / 12)
            before = by_now
        alive, bought = alive + there, bought + there * before
    assert not record.blend.baseline
    days, total = (x + 1, history["spend"]) if of_spend.of_first else (x, history["repeat_spend"])
    spend = np.where(total > 0, p * (scale + total) / (p * days + q - 1), p * scale / (q - 1))
    expected = pd.DataFrame(
        {
            "probability_alive": alive,
            "expected_purchases": bought,
            "expected_spend": spend,
            "lifetime_value": discounted * spend * settings.margin,
            "historic_value": history["spend"] * settings.margin,
        },
        index=history.index,
    )
    pd.testing.assert_frame_equal(customers[COLUMNS], expected, check_exact=False, rtol=1e-8)
    order = sorted(
        customers.index, key=lambda m: (-customers.at[m, "lifetime_value"], hashlib.md5(m.encode()).hexdigest())
    )
    size, more = divmod(len(order), 10)
    tiles = np.repeat(np.arange(1, 11), [size + (tile < more) for tile in range(10)])
    assert customers.loc[order, "decile_predicted"].tolist() == tiles.tolist()
    assert customers["probability_purchase"].between(0, customers["probability_alive"]).all()


@given(
    x=st.integers(0, 40),
    age=st.floats(1, 150),
    weeks=st.floats(1, 60),
    theta=st.tuples(st.floats(0.3, 2), st.floats(2, 20), st.floats(0.6, 3), st.floats(1, 6)),
)
def test_expected_purchases_is_the_mean_over_customers(x, age, weeks, theta) -> None:
    for model in ("bg_nbd", "mbg_nbd"):
        ours = PURCHASE_MODELS[model].expected_if_alive(
            np.array(theta), np.array([float(x)]), np.array([age]), np.array([weeks])
        )
        exact = expected_by_integration(np.array(theta), x, age, weeks, model == "mbg_nbd")
        assert ours[0] == pytest.approx(exact, rel=2e-2)  # of 400 points of the rate


@given(
    x=st.integers(0, 500),
    age=st.floats(0.2, 300),
    share=st.floats(0, 1),
    weeks=st.floats(0.1, 100),
    theta=st.tuples(*[st.floats(0.02, 30)] * 4),
)
def test_more_time_brings_more_and_recency_never_hurts(x, age, share, weeks, theta) -> None:
    theta, frequency, ages = np.array(theta), np.array([float(x)] * 3), np.array([age] * 3)
    ahead = np.array([weeks / 2, weeks, weeks * 2])
    recency = np.array([0.0, share * age, age]) if x else np.zeros(3)
    for model in PURCHASE_MODELS.values():
        expected = model.expected_if_alive(theta, frequency, ages, ahead)
        buys = model.purchase_if_alive(theta, frequency, ages, ahead)
        alive = model.probability_alive(theta, frequency, np.sort(recency), ages)
        assert (np.diff(expected) >= -1e-12).all()  # beyond rounding
        assert (np.diff(buys) >= -1e-12).all()
        assert (buys <= expected * (1 + 1e-9) + 1e-12).all()
        assert (np.diff(alive) >= -1e-12).all()
        assert ((alive >= 0) & (alive <= 1)).all()


def test_profile_and_table_hold_what_the_contract_names(airline: Workbook) -> None:
    with airline.engine.read() as session:
        kinds = session.columns(table("lifetime.customer_lifetime_value"))
        assert kinds == {name: session.type_name(kind) for name, kind in contract.LIFETIME_VALUE.items()}
        assert set(contract.LIFETIME_VALUE) <= set(session.columns(table("profile.customer")))
    profile, values = airline.query("profile.customer"), airline.query("lifetime.customer_lifetime_value")
    assert profile["lifetime_value"].notna().sum() == len(values) == len(profile)
    assert profile["lifetime_value"].sum() == pytest.approx(values["lifetime_value"].sum())


def test_an_audience_can_ask_for_the_predicted_decile(airline: Workbook) -> None:
    best = {"field": "decile_predicted", "op": "at most", "value": 1}
    there = {"field": "probability_alive", "op": "at least", "value": 0.5}
    audience = validate(Audience, {"title": "Coming best", "rule": {"all": [best, there]}}, "best.yml")
    with airline.engine.read() as session:
        rows = session.rows(to_customers(audience.rule, published_context(session, airline.params)))
    profile = airline.query("profile.customer")
    expected = profile[(profile["decile_predicted"] == 1) & (profile["probability_alive"] >= 0.5)]
    assert {row["customer_id"] for row in rows} == set(expected["customer_id"]) != set()


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_gain_and_lift_against_a_full_sort(name: str, request: pytest.FixtureRequest) -> None:
    """Ranked one by one in pandas, over 40 ways to break ties by lot."""
    workbook = request.getfixturevalue(name)
    rows = workbook.query("lifetime.customer_holdout")
    gain = workbook.query("lifetime.holdout_gain").set_index(["series", "percent_of_customers"])
    named = gain.reset_index().groupby("series_order")["series"].first()
    title = named[2]
    ranked_by = dict(zip(named, ["actual", "model", "naive", "status_quo"], strict=True))
    rng = np.random.default_rng(0)
    edges = [len(rows) * tenth // 10 for tenth in range(1, 11)]
    spend, tolerance = rows["actual_spend"].to_numpy(), 20 / len(rows)
    for series, measure in ranked_by.items():
        shares = []
        for _ in range(40):
            order = np.lexsort((rng.random(len(rows)), -rows[f"{measure}_spend"].to_numpy()))
            shares.append(spend[order].cumsum()[np.array(edges) - 1] / spend.sum())
        ours = gain.loc[series]["share_of_spend"].sort_index().to_numpy()
        assert ours == pytest.approx(np.mean(shares, axis=0), abs=max(tolerance, 2e-3))
        assert ours[-1] == pytest.approx(1)
    lift = workbook.query("lifetime.holdout_decile", order_by="decile")
    assert lift.groupby("series")["customers"].sum().to_numpy() == pytest.approx(len(rows))
    actual = lift[lift["series"] == "Actual"]["spend"].cumsum().to_numpy() / spend.sum()
    assert actual == pytest.approx(gain.loc[title]["share_of_spend"].sort_index().to_numpy())
    assert lift[lift["series"] == title]["spend"].sum() == pytest.approx(rows["model_spend"].sum())


def test_second_refresh_has_nothing_to_do(airline: Workbook) -> None:
    with airline.engine.read() as session:
        before = session.scalar("SELECT record FROM lifetime.prediction")
    marks = {}
    for _ in range(2):
        lifetime.refresh(airline)
        with airline.engine.write() as session:
            marks[len(marks)] = session.version("lifetime.customer_lifetime_value")
    assert marks[0] == marks[1]
    assert lifetime.record(airline).as_dict() == json.loads(before)


def texts(node: Any) -> Iterator[str]:
    """What people read of an output: its plain text, and titles wherever they stand in a chart."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ()):
        if key in ("title", "text", "subtitle", "text/plain") and isinstance(value, str):
            yield value
        yield from texts(value)


def test_the_airline_reads_of_members_and_flights(airline: Workbook) -> None:
    views = lifetime.values, lifetime.holdout, lifetime.models, lifetime.track_record
    parts = [part for view in views for part in view(airline).parts or (view(airline),)]
    said = "\n".join(text for part in parts for text in texts(part.bundle))
    assert "members" in said
    assert "flights" in said
    assert not re.findall(r"\w*(?:customer|purchase)\w*", said, flags=re.IGNORECASE)


def test_a_record_of_another_version_counts_as_none(workbook: Workbook) -> None:
    with workbook.engine.write(publish=True) as session:
        done = parse("SELECT '2026-01-01' AS as_of, '{\"status\": \"done\"}' AS record")
        session.create_table("lifetime.prediction", done)
    assert lifetime.record(workbook).status == "off"
    assert lifetime.refresh(workbook).status == "predicted"
