"""A simulated airline: members, loyalty events, campaigns and their responses, with the ground truth.

Flights follow an MBG/NBD process (Batislam, Denizel & Filiztekin 2007): each member flies at an own rate, and
drops out after each flight, the first too, with an own probability. Fares follow a
Gamma-Gamma process (Fader, Hardie & Lee 2005, "RFM and CLV"). All rates are per day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv_helpers.config.params import Simulation
from clv_helpers.simulate.calendar import FIRST_DAY, as_date, as_timestamp
from clv_helpers.simulate.mailing import send_campaigns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FLIGHTS = {"r": 0.75, "alpha": 45.0, "a": 0.8, "b": 6.5}
FARES = {"p": 4.0, "q": 3.5, "gamma": 150.0}
STATUS_FROM_MILES = {"FLYER": 0, "FREQUENT": 6_000, "SILVER": 15_000, "GOLD": 30_000}
STATUS_BONUS = {"FLYER": 1.0, "FREQUENT": 1.1, "SILVER": 1.25, "GOLD": 1.5}
ROUTES = {  # one-way miles and how often they are flown
    "LHR-DUB": (280, 8), "FRA-ZRH": (180, 9), "CDG-MAD": (660, 8), "ARN-FRA": (760, 6), "LHR-ATH": (1490, 4),
    "JFK-FRA": (3850, 3), "CDG-JFK": (3630, 3), "LHR-SFO": (5370, 1), "FRA-NRT": (5830, 1), "CDG-GRU": (5840, 1),
}  # fmt: skip
REGIONS = {"British Isles": 0.26, "Central Europe": 0.31, "Nordics": 0.12, "Southern Europe": 0.21, "Overseas": 0.1}
FIRST_NAMES = ["Aino", "Björn", "Chloé", "Dario", "Elif", "Fatima", "George", "Hanna", "Ines", "Jürgen", "Kofi", "Lin"]
LAST_NAMES = ["Andersson", "Becker", "Costa", "Dubois", "Evans", "Fischer", "García", "Hughes", "Ito", "Jansen", "Kaya"]


@dataclass(frozen=True)
class Airline:
    """The simulated tables: a row per member, loyalty event, e-mail event, and member assigned to a measured campaign.

    The ground truth: a row per member, and by campaign what it adds.
    """

    members: pd.DataFrame
    loyalty_events: pd.DataFrame
    email_events: pd.DataFrame
    assignments: pd.DataFrame
    truth_members: pd.DataFrame
    truth_campaigns: dict[str, Any]


def simulate(settings: Simulation) -> Airline:
    """The whole airline from one seed. Cost: grows with the number of flights; 20,000 members take about 2 s.

    Example:
        >>> from clv_helpers.config.params import Simulation
        >>> len(simulate.simulate(Simulation(members=100, years=1)).members)
        100
    """
    import numpy as np

    rng = np.random.default_rng(settings.seed)
    days = (FIRST_DAY.replace(year=FIRST_DAY.year + settings.years) - FIRST_DAY).days
    members, truth = _members(rng, settings.members, days)
    flights = _flights(rng, truth, days)
    # a stream of its own, so that what is mailed changes nobody's flights but by its true effect
    mailed = send_campaigns(np.random.default_rng([settings.seed, 1]), members, truth, flights, days, _fly)
    events = _loyalty_events(rng, members, mailed.flights, days)
    return Airline(
        members.drop(columns="joined_day"), events, mailed.email_events, mailed.assignments, truth, mailed.true_effects
    )


def _members(rng: np.random.Generator, count: int, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    import numpy as np
    import pandas as pd

    first, last = rng.choice(FIRST_NAMES, count), rng.choice(LAST_NAMES, count)
    number = [f"M{index:07d}" for index in range(1, count + 1)]
    plain = pd.Series(first).str.cat(last, sep=".").str.lower().str.normalize("NFKD")
    plain = plain.str.encode("ascii", "ignore").str.decode("ascii")
    joined = rng.integers(0, max(days - 45, 1), count)
    members = pd.DataFrame(
        {
            "membership_number": number,
            "email": plain + "." + pd.Series(number).str[1:].str.lstrip("0") + "@example.com",
            "first_name": first,
            "last_name": last,
            "region": rng.choice(list(REGIONS), count, p=list(REGIONS.values())),
            "joined_on": as_date(joined),
            "email_consent": rng.random(count) < 0.78,
            "joined_day": joined,
        }
    )
    truth = pd.DataFrame(
        {
            "membership_number": number,
            "joined_day": joined,
            "flights_per_day": rng.gamma(FLIGHTS["r"], 1 / FLIGHTS["alpha"], count),
            "dropout_probability": rng.beta(FLIGHTS["a"], FLIGHTS["b"], count),
            "fare_rate": np.maximum(rng.gamma(FARES["q"], 1 / FARES["gamma"], count), 1e-6),
        }
    )
    truth["mean_fare"] = FARES["p"] / truth["fare_rate"]
    return members, truth


def _flights(rng: np.random.Generator, truth: pd.DataFrame, days: int) -> pd.DataFrame:
    """One row per flight, in rounds: everyone's first flight, everyone's second, … until nobody flies on."""
    import numpy as np
    import pandas as pd

    member, moment = np.arange(len(truth)), truth["joined_day"].to_numpy() + rng.random(len(truth))
    rate, dropout = truth["flights_per_day"].to_numpy(), truth["dropout_probability"].to_numpy()
    rounds = []
    while len(member):
        rounds.append(pd.DataFrame({"member": member, "moment": moment}))
        goes_on = rng.random(len(member)) >= dropout[member]
        member, moment = member[goes_on], moment[goes_on]
        moment = moment + rng.exponential(1 / rate[member])
        member, moment = member[moment < days], moment[moment < days]
    return _fly(rng, pd.concat(rounds), truth)


def _fly(rng: np.random.Generator, flights: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Routes and fares for flights that have none yet, and the status held at each: from (member, moment)."""
    import numpy as np

    flights = flights.sort_values(["member", "moment"], ignore_index=True)
    if "route" in flights:
        new = flights["route"].isna()
        flown = _fly(rng, flights.loc[new, ["member", "moment"]], truth)
        for name in ("route", "miles", "fare"):
            flights.loc[new, name] = flown[name].to_numpy()
        flights["status"] = _status(flights)
        return flights
    miles, often = np.array([v[0] for v in ROUTES.values()]), np.array([v[1] for v in ROUTES.values()])
    route = rng.choice(len(ROUTES), len(flights), p=often / often.sum())
    flights["route"], flights["miles"] = np.array(list(ROUTES))[route], miles[route]
    fare = rng.gamma(FARES["p"], 1 / truth["fare_rate"].to_numpy()[flights["member"]])
    flights["fare"] = np.maximum(np.round(fare, 2), 0.01)
    flights["status"] = _status(flights)
    return flights


def _status(flights: pd.DataFrame) -> np.ndarray:
    """The status that a member holds at each flight: from the status miles of the 365 days before it."""
    import numpy as np

    # One sorted number line for all members: far enough apart that no window reaches a neighbour.
    line = flights["member"].to_numpy() * 100_000.0 + flights["moment"].to_numpy()
    flown = np.concatenate([[0], np.cumsum(flights["miles"].to_numpy())])
    since = np.searchsorted(line, line - 365.0)
    year = flown[np.arange(len(line))] - flown[since]
    step = np.searchsorted(list(STATUS_FROM_MILES.values()), year, side="right") - 1
    return np.array(list(STATUS_FROM_MILES))[step]


def _loyalty_events(rng: np.random.Generator, members: pd.DataFrame, flights: pd.DataFrame, days: int) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    award = flights["miles"] * flights["status"].map(STATUS_BONUS)
    earned = flights.assign(award=award.round()).groupby("member")["award"].cumsum()
    crosses = (earned // 25_000) > ((earned - award.round()) // 25_000)
    redeems = flights[crosses & (rng.random(len(flights)) < 0.6)]
    redeemed = redeems["moment"] + 1 + rng.exponential(20, len(redeems))
    opens_card = rng.random(len(members)) < 0.15
    card_day = members["joined_day"] + 5 + rng.exponential(200, len(members))
    parts = [
        _events(flights, "STATUS_MILES", flights["route"], flights["miles"], amount=flights["fare"]),
        _events(flights, "AWARD_MILES", flights["route"], award.round()),
        _events(redeems.assign(moment=redeemed), "AWARD_MILES", "Redemption", -20_000),
    ]
    everyone = pd.DataFrame({"member": members.index, "moment": members["joined_day"], "status": "FLYER"})
    parts.append(_events(everyone, "AWARD_MILES", "New member", 1_000))
    card = everyone.assign(moment=card_day)[opens_card]
    parts.append(_events(card, "AWARD_MILES", "New credit card", 5_000))
    events = pd.concat(parts)
    events = events[events["moment"] < days].sort_values(["moment", "member"], kind="stable", ignore_index=True)
    events.insert(0, "event_id", [f"L{index:09d}" for index in range(len(events))])
    events.insert(1, "membership_number", members["membership_number"].to_numpy()[events["member"]])
    events.insert(2, "occurred_at", as_timestamp(events["moment"]))
    events["mileage"] = events["mileage"].astype(np.int64)
    return events.drop(columns=["member", "moment"])


def _events(rows: pd.DataFrame, kind: str, details: Any, mileage: Any, amount: Any = None) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "member": rows["member"],
            "moment": rows["moment"],
            "transaction_type": kind,
            "transaction_details": details,
            "loyalty_status": rows["status"],
            "mileage": mileage,
            "amount": float("nan") if amount is None else amount,
        }
    )
