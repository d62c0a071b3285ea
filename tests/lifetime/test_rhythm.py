"""When the next purchase is due, and who is overdue against their own rhythm."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from clv_helpers import lifetime
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.counts import Histories
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.rhythm import OVERDUE, evenness, with_rhythm

DAYS = 1_000


def buyers(rng: np.random.Generator, gaps_in_days: np.ndarray, k: float) -> tuple[pd.DataFrame, float]:
    """Customers who never leave and buy at Erlang-k gaps of these means: their histories, and the sum of log gaps."""
    rows, log_gaps = [], 0.0
    for mean in gaps_in_days:
        age = int(rng.integers(DAYS // 2, DAYS))
        gaps = rng.gamma(k, mean / k, size=int(6 * DAYS / mean) + 20)
        days = np.unique(np.floor(np.cumsum(gaps)).astype(int) + 1)
        days = np.concatenate([[0], days[days <= age]])
        log_gaps += np.log(np.diff(days) / 7).sum()
        rows.append((len(days) - 1, days[-1], age))
    return pd.DataFrame(rows, columns=["frequency", "recency_days", "age_days"]), log_gaps


def histories(frame: pd.DataFrame) -> Histories:
    return Histories.from_days(*(frame[name].to_numpy(float) for name in frame), np.ones(len(frame)))


def known_fit(r: float, alpha: float) -> Fit:
    theta = {"r": r, "alpha": alpha, "a": 0.5, "b": 3.0}
    return Fit("mbg_nbd", theta, dict.fromkeys(theta), dict.fromkeys(theta), 0.0, 1, 1)


@pytest.mark.parametrize("k", [1, 3, 12])
def test_how_even_gaps_are_is_found_whatever_the_rates(k: int) -> None:
    rng = np.random.default_rng(7)
    frame, log_gaps = buyers(rng, rng.uniform(25, 90, 600), k)
    assert evenness(histories(frame), log_gaps) == pytest.approx(k, rel=0.12)  # two purchases on a day are one


def test_regular_buyers_are_expected_after_their_own_gap() -> None:
    """Each buys every 20 to 60 days, give or take a tenth: the day expected is that of the own gap."""
    rng = np.random.default_rng(11)
    gaps = rng.uniform(20, 60, 400)
    frame, log_gaps = buyers(rng, gaps, 100)
    told = with_rhythm(frame, fit("mbg_nbd", histories(frame)), evenness(histories(frame), log_gaps))
    assert np.abs(told["gap_days"] / gaps - 1).quantile(0.95) < 0.06
    # all are there, and nobody is late: the silence is a part of a gap
    assert (told["overdue"] >= OVERDUE).mean() < 0.1
    late = frame.assign(age_days=frame["recency_days"] + np.ceil(1.3 * gaps))
    told = with_rhythm(late, fit("mbg_nbd", histories(frame)), evenness(histories(frame), log_gaps))
    assert (told["overdue"] >= OVERDUE).mean() > 0.95


@pytest.mark.parametrize("spread", [False, True], ids=["alike", "different"])
def test_of_random_buyers_none_of_whom_left_about_a_tenth_is_overdue(spread: bool) -> None:
    """On any one day: a tenth where rates are alike, up to a seventh where they differ much (long gaps last longer)."""
    rng = np.random.default_rng(13)
    gaps = 1 / rng.gamma(1.5, 1 / 45, 1_500) if spread else np.full(1_500, 40.0)
    frame, log_gaps = buyers(rng, np.clip(gaps, 2, 5_000), 1)
    told = with_rhythm(frame, fit("mbg_nbd", histories(frame)), evenness(histories(frame), log_gaps))
    assert 0.08 < (told["overdue"] >= OVERDUE).mean() < (0.15 if spread else 0.12)


@pytest.mark.parametrize("k", [1.0, 4.0])
def test_of_the_gaps_of_who_is_there_one_in_ten_is_called_overdue(k: float) -> None:
    """Each gap, judged by those before it: whatever their rates, exactly the share that is said."""
    rng = np.random.default_rng(17)
    rates = rng.gamma(1.5, 1 / (6 * 7 / k), 40_000)
    gaps = rng.gamma(k, 1 / rates[:, None], (40_000, 5))
    for before in (0, 1, 4):
        recency = gaps[:, :before].sum(axis=1)
        frame = pd.DataFrame({"frequency": before, "recency_days": recency, "age_days": recency + gaps[:, before]})
        told = with_rhythm(frame, known_fit(r=1.5, alpha=6.0), k)
        assert (told["overdue"] >= OVERDUE).mean() == pytest.approx(0.1, abs=0.006)
        assert (told["overdue"] >= 0.5).mean() == pytest.approx(0.5, abs=0.01)


def test_with_one_purchase_the_gap_is_that_of_all_customers() -> None:
    once = pd.DataFrame({"frequency": [0, 0], "recency_days": [0, 0], "age_days": [10, 300]})
    told = with_rhythm(once, known_fit(r=2.0, alpha=8.0), 1.0)
    half = 8 * 7 * (2 ** (1 / 2.0) - 1)  # of a gap that is Lomax: exponential, its rate Gamma(2, 8 weeks)
    assert told["gap_days"].tolist() == [round(half)] * 2
    assert told["overdue"].tolist() == pytest.approx([1 - (56 / (56 + days)) ** 2 for days in (10, 300)])


def test_the_formula_against_draws() -> None:
    rng = np.random.default_rng(5)
    known = pd.DataFrame({"frequency": [4], "recency_days": [100], "age_days": [140]})
    told = with_rhythm(known, known_fit(r=1.5, alpha=6.0), 3.0)
    rates = rng.gamma(1.5 + 3 * 4, 1 / (6 * 7 / 3 + 100), 400_000)
    drawn = gamma.rvs(3, scale=1 / rates, random_state=rng)
    assert told["overdue"].item() == pytest.approx((drawn <= 40).mean(), abs=0.004)
    assert told["gap_days"].item() == pytest.approx(np.median(drawn), abs=0.6)


def test_nobody_came_back_twice_so_gaps_are_taken_as_random() -> None:
    assert evenness(Histories.from_days(*np.array([[1.0], [30.0], [90.0], [50.0]])), 50 * math.log(30 / 7)) == 1.0


def test_columns_of_the_airline(airline: Workbook) -> None:
    values = airline.query("lifetime.customer_lifetime_value")
    history = airline.query("lifetime.customer_history").set_index("customer_id").loc[values["customer_id"]]
    expected = pd.to_datetime(values["next_purchase_expected"])
    assert expected.notna().any()
    assert expected.isna().any()
    assert (values.loc[expected.notna(), "probability_alive"] >= 0.5).all()
    as_of = pd.Timestamp(lifetime.record(airline).as_of)
    last = as_of - pd.to_timedelta((history["age_days"] - history["recency_days"] + 1).to_numpy(), "D")
    told = expected.notna().to_numpy()
    assert (expected[told] > last[told]).all()
    late = expected[told] <= as_of
    share = values.loc[told, "overdue"]
    assert (share[late] > 0.45).all()  # a day is past once half have bought again; days are whole
    assert (share[~late] < 0.55).all()
    overdue = values["overdue"] >= OVERDUE
    assert (values.loc[~overdue, "value_at_risk"] == 0).all()
    late = values[overdue & (values["lifetime_value"] > 0)]
    assert len(late) > 0
    assert ((late["value_at_risk"] > 0) & (late["value_at_risk"] < late["lifetime_value"])).all()
    by_decile = airline.query("lifetime.value_at_risk")
    assert by_decile["value_at_risk"].sum() == pytest.approx(values["value_at_risk"].sum())
    assert by_decile["customers"].sum() == len(values)
    profile = airline.query("profile.customer").set_index("customer_id")
    assert profile["overdue"].notna().sum() == len(values)
