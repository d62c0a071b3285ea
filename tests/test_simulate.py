"""The simulated airline: the same from the same seed, and true to its ground truth."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clv_helpers.config.settings import Simulation
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.season import factors
from clv_helpers.simulate import (
    CAMPAIGNS,
    FARES,
    FLIGHTS,
    RESPONSES,
    Airline,
    SimulationError,
    simulate,
    write_airline,
)
from clv_helpers.simulate.acquisition import CHANNELS
from clv_helpers.simulate.flights import SEASON
from conftest import SMALL

SETTINGS = Simulation(members=4000, years=3, seed=11)


@pytest.fixture(scope="module")
def airline_data() -> Airline:
    return simulate(SETTINGS)


def test_same_seed_same_airline(tmp_path) -> None:
    small = Simulation(members=200, years=1, seed=3)
    for folder in ("a", "b"):
        write_airline(small, tmp_path / folder)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    truth = json.loads((tmp_path / "a" / "truth.json").read_text())
    assert truth["settings"] == {"members": 200, "years": 1, "seed": 3}
    assert truth["flights_mbg_nbd_per_day"] == FLIGHTS


def test_flights_are_credited_twice_with_a_fare_once(airline_data: Airline) -> None:
    events = airline_data.loyalty_events
    status = events[events["transaction_type"] == "STATUS_MILES"]
    award = events[(events["transaction_type"] == "AWARD_MILES") & events["transaction_details"].str.contains("-")]
    assert len(status) == len(award)
    assert status["amount"].gt(0).all()
    assert award["amount"].isna().all()
    details = set(events["transaction_details"])
    assert {"New member", "New credit card", "Redemption"} <= details
    assert (events.loc[events["transaction_details"] == "Redemption", "mileage"] < 0).all()
    assert set(events["loyalty_status"]) == {"FLYER", "FREQUENT", "SILVER", "GOLD"}


def test_a_planted_season_is_recovered_from_the_flights() -> None:
    events = simulate(Simulation(members=5_000, years=4, seed=5, season=True)).loyalty_events
    flights = events[events["transaction_type"] == "STATUS_MILES"]
    again = flights[flights["membership_number"].duplicated()]
    found = factors(again.groupby(again["occurred_at"].dt.to_period("M")).size().tolist()[3:], 3)
    assert found == pytest.approx(SEASON, abs=0.15)
    assert np.corrcoef(found, SEASON)[0, 1] > 0.9


def test_truth_tells_season_and_trend_where_they_are_planted(tmp_path) -> None:
    small = Simulation(members=60, years=1, season=True, change_per_year=-0.2)
    told = write_airline(small, tmp_path)
    assert told["season"] == list(SEASON)
    assert told["settings"]["change_per_year"] == told["change_per_year"] == -0.2


def test_members_join_up_to_the_last_day(airline_data: Airline) -> None:
    joined = airline_data.members["joined_on"]
    assert (joined.max() - joined.min()).days > 365 * 3 - 5


def test_fares_and_rates_follow_their_distributions(airline_data: Airline) -> None:
    events, truth = airline_data.loyalty_events, airline_data.truth_members
    fares = events.loc[events["transaction_type"] == "STATUS_MILES"].groupby("membership_number")["amount"].mean()
    expected = FARES["p"] * FARES["gamma"] / (FARES["q"] - 1)
    assert fares.mean() == pytest.approx(expected, rel=0.06)
    assert truth["flights_per_day"].mean() == pytest.approx(FLIGHTS["r"] / FLIGHTS["alpha"], rel=0.06)
    assert truth["dropout_probability"].mean() == pytest.approx(FLIGHTS["a"] / (FLIGHTS["a"] + FLIGHTS["b"]), rel=0.06)


def test_each_channel_costs_what_is_planted_and_brings_its_own(airline_data: Airline) -> None:
    channel = airline_data.members.set_index("membership_number")["channel"]
    each = airline_data.costs.groupby("channel")["cost"].sum() / channel.value_counts()
    assert each.to_dict() == pytest.approx({name: one.cost for name, one in CHANNELS.items()}, rel=0.08)
    truth = airline_data.truth_members.set_index("membership_number")
    value = (truth["flights_per_day"] * truth["mean_fare"]).groupby(channel).median()
    assert value["partner"] > 1.1 * value["search"] > 1.2 * value["social"]


def test_mail_respects_consent_and_unsubscription(airline_data: Airline) -> None:
    mail, members = airline_data.email_events, airline_data.members.set_index("membership_number")
    sent = mail[mail["event_type"] == "sent"]
    assert members.loc[sent["membership_number"], "email_consent"].all()
    gone = mail[mail["event_type"].isin(["unsubscribed", "complained"]) | (mail["bounce_type"] == "hard")]
    left_at = gone.groupby("membership_number")["occurred_at"].max()
    later = sent[sent["membership_number"].isin(left_at.index)]
    assert (later["occurred_at"] <= later["membership_number"].map(left_at)).all()
    assert set(mail["campaign"]) == {name for name, _, _ in CAMPAIGNS}


def test_machine_opens_come_at_the_stated_share(airline_data: Airline) -> None:
    mail = airline_data.email_events
    delivered = mail[mail["event_type"] == "delivered"]["message_id"].nunique()
    machine = mail[(mail["event_type"] == "opened") & (mail["user_agent"] == "Mozilla/5.0")]["message_id"].nunique()
    assert machine / delivered == pytest.approx(RESPONSES["machine_opening_share"], abs=0.03)


def test_status_comes_from_the_miles_of_the_year_before(airline_data: Airline) -> None:
    events = airline_data.loyalty_events
    flights = events[events["transaction_type"] == "STATUS_MILES"].sort_values("occurred_at")
    busiest = flights["membership_number"].value_counts().index[:20]
    for member in busiest:
        own = flights[flights["membership_number"] == member]
        for _, flight in own.iloc[::7].iterrows():
            age = (flight["occurred_at"] - own["occurred_at"]).dt.total_seconds() / 86_400
            year = own.loc[(age > 0) & (age <= 364.99), "mileage"].sum()
            steps = np.array([0, 6_000, 15_000, 30_000])
            assert flight["loyalty_status"] == ["FLYER", "FREQUENT", "SILVER", "GOLD"][int((steps <= year).sum()) - 1]


def test_another_simulation_is_not_mixed_in(outputs, airline: Workbook) -> None:
    from clv_helpers.simulate import make_sources

    make_sources(Workbook.open(airline.file, overrides={**SMALL, "simulate.members": 60}))
    with pytest.raises(SimulationError, match="delete .* to simulate again"):
        make_sources(Workbook.open(airline.file, overrides={**SMALL, "simulate.members": 61}))
