"""The simulated flights: when members fly, where to, at what fare, and the status that they hold at each.

Flights follow an MBG/NBD process (Batislam, Denizel & Filiztekin 2007): each member flies at an own rate, and
drops out after each flight, the first too, with an own probability. Fares follow a
Gamma-Gamma process (Fader, Hardie & Lee 2005, "RFM and CLV"). All rates are per day, and moments are days since the
first one.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from clv_helpers.config.settings import Simulation

FIRST_DAY = dt.date(2023, 1, 1)
FLIGHTS = {"r": 0.75, "alpha": 45.0, "a": 0.8, "b": 6.5}
# By calendar month, January first, where the simulation has a season: over a year as many as without.
SEASON = (0.76, 0.78, 0.89, 1.00, 1.06, 1.16, 1.31, 1.31, 1.06, 0.95, 0.79, 0.90)
FARES = {"p": 4.0, "q": 3.5, "gamma": 150.0}
STATUS_FROM_MILES = {"FLYER": 0, "FREQUENT": 6_000, "SILVER": 15_000, "GOLD": 30_000}
ROUTES = {  # one-way miles and how often they are flown
    "LHR-DUB": (280, 8), "FRA-ZRH": (180, 9), "CDG-MAD": (660, 8), "ARN-FRA": (760, 6), "LHR-ATH": (1490, 4),
    "JFK-FRA": (3850, 3), "CDG-JFK": (3630, 3), "LHR-SFO": (5370, 1), "FRA-NRT": (5830, 1), "CDG-GRU": (5840, 1),
}  # fmt: skip

OVERSEAS = {"JFK": "America", "SFO": "America", "GRU": "America", "NRT": "Asia"}  # the others are in Europe
BANDS = {"short": 800, "medium": 2_500}  # miles at most; beyond them a route is long


def all_routes() -> pd.DataFrame:
    """One row per route: where it goes, its miles one way, and in which band of distance they are."""
    miles = [distance for distance, _ in ROUTES.values()]
    bands = [next((band for band, most in BANDS.items() if distance <= most), "long") for distance in miles]
    regions = [next((OVERSEAS[end] for end in route.split("-") if end in OVERSEAS), "Europe") for route in ROUTES]
    return pd.DataFrame({"route": list(ROUTES), "region": regions, "distance_band": bands, "miles": miles})


def as_timestamp(moment: Any) -> Any:
    """Days since the first one, with fractions, as moments to the second."""
    seconds = (moment * 86_400).round().astype("int64")
    return pd.Timestamp(FIRST_DAY) + pd.to_timedelta(seconds, unit="s")


def paces(settings: Simulation, days: int) -> np.ndarray:
    """The pace of each day: by how much more is flown than the rates say."""
    number = np.arange(days)
    month = (np.datetime64(FIRST_DAY) + number).astype("datetime64[M]").astype(int) % 12
    season = np.array(SEASON)[month] if settings.season else np.ones(days)
    return season * (1 + settings.change_per_year) ** (number / 365.25)


def all_flights(rng: np.random.Generator, truth: pd.DataFrame, pace: np.ndarray) -> pd.DataFrame:
    """One row per flight, in rounds: everyone's first flight, everyone's second, … until nobody flies on.

    Rates hold on a clock that runs at the pace of each day.
    """
    days = len(pace)
    calendar, clock = np.arange(days + 1.0), np.append(0.0, np.cumsum(pace))
    member, moment = np.arange(len(truth)), truth["joined_day"].to_numpy() + rng.random(len(truth))
    rate, dropout = truth["flights_per_day"].to_numpy(), truth["dropout_probability"].to_numpy()
    rounds = []
    while len(member):
        rounds.append(pd.DataFrame({"member": member, "moment": moment}))
        goes_on = rng.random(len(member)) >= dropout[member]
        member, moment = member[goes_on], moment[goes_on]
        told = np.interp(moment, calendar, clock) + rng.exponential(1 / rate[member])
        member, told = member[told < clock[-1]], told[told < clock[-1]]
        moment = np.interp(told, clock, calendar)
    return with_status(fly(rng, pd.concat(rounds), truth))


def fly(rng: np.random.Generator, moments: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Flights with their routes and fares, from (member, moment)."""
    flights = moments.sort_values(["member", "moment"], ignore_index=True)
    miles, often = np.array(list(ROUTES.values())).T
    route = rng.choice(len(ROUTES), len(flights), p=often / often.sum())
    flights["route"], flights["miles"] = np.array(list(ROUTES))[route], miles[route]
    fare = rng.gamma(FARES["p"], 1 / truth["fare_rate"].to_numpy()[flights["member"]])
    flights["fare"] = np.maximum(np.round(fare, 2), 0.01)
    return flights


def with_status(flights: pd.DataFrame) -> pd.DataFrame:
    """Flights in order, with the status held at each: from the status miles of the 365 days before it."""
    flights = flights.sort_values(["member", "moment"], ignore_index=True)
    # One sorted number line for all members: far enough apart that no window reaches a neighbour.
    line = flights["member"].to_numpy() * 100_000.0 + flights["moment"].to_numpy()
    flown = np.concatenate([[0], np.cumsum(flights["miles"].to_numpy())])
    since = np.searchsorted(line, line - 365.0)
    year = flown[np.arange(len(line))] - flown[since]
    step = np.searchsorted(list(STATUS_FROM_MILES.values()), year, side="right") - 1
    return flights.assign(status=np.array(list(STATUS_FROM_MILES))[step])
