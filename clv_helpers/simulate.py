"""A simulated airline: members, loyalty events and e-mail responses, with the true values kept beside them.

Flights follow an MBG/NBD process (Batislam, Denizel & Filiztekin 2007): each member flies at an own rate, and
drops out after each flight, the first too, with an own probability. Fares follow a
Gamma-Gamma process (Fader, Hardie & Lee 2005, "RFM and CLV"). All rates are per day.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.engines.files import write_atomically, write_parquet
from clv_helpers.errors import UserError
from clv_helpers.params import Simulation
from clv_helpers.workbook import Workbook

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FIRST_DAY = dt.date(2023, 1, 1)
FLIGHTS = {"r": 0.75, "alpha": 45.0, "a": 0.8, "b": 6.5}
FARES = {"p": 4.0, "q": 3.5, "gamma": 150.0}
STATUS_FROM_MILES = {"FLYER": 0, "FREQUENT": 6_000, "SILVER": 15_000, "GOLD": 30_000}
STATUS_BONUS = {"FLYER": 1.0, "FREQUENT": 1.1, "SILVER": 1.25, "GOLD": 1.5}
ROUTES = {  # one-way miles and how often they are flown
    "LHR-DUB": (280, 8), "FRA-ZRH": (180, 9), "CDG-MAD": (660, 8), "ARN-FRA": (760, 6), "LHR-ATH": (1490, 4),
    "JFK-FRA": (3850, 3), "CDG-JFK": (3630, 3), "LHR-SFO": (5370, 1), "FRA-NRT": (5830, 1), "CDG-GRU": (5840, 1),
}  # fmt: skip
REGIONS = {
    "British Isles": 0.26,
    "Central Europe": 0.31,
    "Nordics": 0.12,
    "Southern Europe": 0.21,
    "Overseas": 0.1,
}
FIRST_NAMES = [
    "Aino",
    "Björn",
    "Chloé",
    "Dario",
    "Elif",
    "Fatima",
    "George",
    "Hanna",
    "Ines",
    "Jürgen",
    "Kofi",
    "Lin",
]
LAST_NAMES = [
    "Andersson",
    "Becker",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "García",
    "Hughes",
    "Ito",
    "Jansen",
    "Kaya",
]
# Campaigns, one a month in the last year: name, the audiences it goes to, and how well its subject line works.
CAMPAIGNS = [
    ("winter-fares", ("New members", "Active flyers"), 0.9),
    ("status-preview", ("Silver and Gold",), 1.3),
    ("we-miss-you", ("Lapsed members",), 0.8),
    ("spring-newsletter", ("New members", "Active flyers", "Silver and Gold", "Lapsed members"), 1.0),
    ("lounge-invitation", ("Silver and Gold",), 1.4),
    ("card-offer", ("Active flyers", "Silver and Gold"), 0.7),
    ("summer-fares", ("New members", "Active flyers", "Lapsed members"), 1.1),
    ("double-miles", ("Active flyers", "Silver and Gold"), 1.25),
    ("come-back-bonus", ("Lapsed members",), 1.0),
    ("autumn-newsletter", ("New members", "Active flyers", "Silver and Gold", "Lapsed members"), 0.95),
    ("black-friday", ("New members", "Active flyers", "Lapsed members"), 1.2),
    ("year-in-miles", ("Active flyers", "Silver and Gold"), 1.5),
]
RESPONSES = {
    "hard_bounce": 0.006, "soft_bounce": 0.012, "machine_opening_share": 0.35, "open": 0.27,
    "click_given_open": 0.13, "unsubscribe": 0.003, "complaint": 0.0003,
}  # fmt: skip
MACHINE_USER_AGENT = "Mozilla/5.0"  # what Apple's mail privacy proxy announces itself as, and nothing else
HUMAN_USER_AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)",
    "Mozilla/5.0 (Windows NT 10.0; Win64)",
]


@dataclass(frozen=True)
class Airline:
    """The simulated tables: one row per member, per loyalty event, per e-mail event, and the truth per member."""

    members: pd.DataFrame
    loyalty_events: pd.DataFrame
    email_events: pd.DataFrame
    truth_members: pd.DataFrame


class SimulationError(UserError):
    """The folder holds the files of another simulation."""


def make_sources(workbook: Workbook) -> dict[str, Any]:
    """Write the simulated files that the params ask for, unless they are there already.

    Gives the settings and the row counts. Raises SimulationError where the folder holds another simulation.
    """
    settings = workbook.params.simulate
    if settings is None:
        return {"simulated": "nothing: this workbook reads real files"}
    folder = workbook.folder / "source"
    truth_file = folder / "truth.json"
    if truth_file.exists():
        found = json.loads(truth_file.read_text())
        if found["settings"] != settings.model_dump():
            raise SimulationError(
                f"{folder} holds a simulation with {found['settings']}, and the params ask for "
                f"{settings.model_dump()}; delete {workbook.folder} to simulate anew"
            )
        return {**found["settings"], **found["rows"]}
    truth = write_airline(settings, folder)
    return {**truth["settings"], **truth["rows"]}


def write_airline(settings: Simulation, folder: Path) -> dict[str, Any]:
    """Simulate, and write members, loyalty_events, email_events and truth_members as Parquet, truth.json last."""
    airline = simulate(settings)
    folder.mkdir(parents=True, exist_ok=True)
    tables = ("members", "loyalty_events", "email_events", "truth_members")
    for name in tables:
        write_parquet(getattr(airline, name), folder / f"{name}.parquet")
    truth = {
        "settings": settings.model_dump(),
        "rows": {name: len(getattr(airline, name)) for name in tables[:3]},
        "flights_mbg_nbd_per_day": FLIGHTS,
        "fares_gamma_gamma": FARES,
        "email_responses": RESPONSES,
        "campaign_strength": {name: strength for name, _, strength in CAMPAIGNS},
    }
    write_atomically(folder / "truth.json", json.dumps(truth, indent=2))
    return truth


def simulate(settings: Simulation) -> Airline:
    """The whole airline from one seed. Cost grows with the number of flights; 20,000 members take about 2 s."""
    import numpy as np

    rng = np.random.default_rng(settings.seed)
    days = (FIRST_DAY.replace(year=FIRST_DAY.year + settings.years) - FIRST_DAY).days
    members, truth = _members(rng, settings.members, days)
    flights = _flights(rng, truth, days)
    events = _loyalty_events(rng, members, flights, days)
    emails = _email_events(rng, members, flights, days)
    return Airline(members.drop(columns="joined_day"), events, emails, truth)


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
            "joined_on": _date(joined),
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
    flights = pd.concat(rounds).sort_values(["member", "moment"], ignore_index=True)
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
    events.insert(2, "occurred_at", _timestamp(events["moment"]))
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


def _email_events(rng: np.random.Generator, members: pd.DataFrame, flights: pd.DataFrame, days: int) -> pd.DataFrame:
    """Twelve sends and what came back. Who unsubscribed, complained or bounced hard gets no further message."""
    import numpy as np
    import pandas as pd

    may_receive = members["email_consent"].to_numpy().copy()
    machine = rng.random(len(members)) < RESPONSES["machine_opening_share"]
    likes_mail = rng.gamma(4, 1 / 4, len(members))
    parts = []
    for index, (campaign, audiences, strength) in enumerate(CAMPAIGNS):
        day = days - 350 + index * 29
        audience = _audience_on(day, members, flights)
        targets = np.flatnonzero(may_receive & np.isin(audience, audiences))
        sends = pd.DataFrame({"member": targets, "campaign": campaign, "audience": audience[targets]})
        sends["message_id"] = [f"{campaign}-{member + 1:07d}" for member in targets]
        opening = np.minimum(RESPONSES["open"] * strength * likes_mail[targets], 0.95)
        events = _responses(rng, sends, day + 0.4, opening, machine[targets])
        lost = events["event_type"].isin(["unsubscribed", "complained"]) | (events["bounce_type"] == "hard")
        may_receive[events.loc[lost, "member"]] = False
        parts.append(events)
    events = pd.concat(parts)
    events = events[events["moment"] < days].sort_values("moment", kind="stable", ignore_index=True)
    events.insert(0, "event_id", [f"E{index:09d}" for index in range(len(events))])
    events["membership_number"] = members["membership_number"].to_numpy()[events["member"]]
    events["occurred_at"] = _timestamp(events["moment"])
    return events.drop(columns=["member", "moment"])


def _audience_on(day: float, members: pd.DataFrame, flights: pd.DataFrame) -> np.ndarray:
    import numpy as np

    before = flights[flights["moment"] < day].groupby("member").last()
    last = before["moment"].reindex(members.index)
    status = before["status"].reindex(members.index)
    new = members["joined_day"] > day - 90
    kinds = [last.isna(), last < day - 180, new, status.isin(["SILVER", "GOLD"])]
    return np.select(kinds, ["Not yet a member", "Lapsed members", "New members", "Silver and Gold"], "Active flyers")


def _responses(
    rng: np.random.Generator, sends: pd.DataFrame, moment: float, opening: np.ndarray, machine: np.ndarray
) -> pd.DataFrame:
    """The events of one send: one row per event, with `moment` in days."""
    import numpy as np
    import pandas as pd

    count = len(sends)
    draw = rng.random(count)
    hard, soft = draw < RESPONSES["hard_bounce"], draw > 1 - RESPONSES["soft_bounce"]
    delivered = ~(hard | soft)
    opened = delivered & (rng.random(count) < opening)
    opened_at = moment + rng.exponential(0.6, count)
    clicked = opened & (rng.random(count) < RESPONSES["click_given_open"])
    unsubscribed = opened & (rng.random(count) < RESPONSES["unsubscribe"] / opening)
    complained = opened & (rng.random(count) < RESPONSES["complaint"] / opening)
    agent = rng.choice(HUMAN_USER_AGENTS, count)
    arrival = moment + rng.random(count) * 0.02

    def rows(which: np.ndarray, kind: str, at: Any, user_agent: Any = None, bounce: str | None = None):
        at = np.broadcast_to(at, count)[which]
        user_agent = np.broadcast_to(np.array(user_agent, dtype=object), count)[which]
        return sends[which].assign(event_type=kind, moment=at, user_agent=user_agent, bounce_type=bounce)

    return pd.concat(
        [
            rows(np.ones(count, bool), "sent", moment),
            rows(delivered, "delivered", arrival),
            rows(hard, "bounced", arrival, bounce="hard"),
            rows(soft, "bounced", arrival, bounce="soft"),
            rows(delivered & machine, "opened", arrival + 0.001 + rng.random(count) * 0.2, MACHINE_USER_AGENT),
            rows(opened, "opened", opened_at, agent),
            rows(clicked, "clicked", opened_at + 0.001, agent),
            rows(unsubscribed, "unsubscribed", opened_at + 0.002, agent),
            rows(complained, "complained", opened_at + 0.003, agent),
        ]
    )


def _date(day: Any) -> Any:
    import pandas as pd

    return pd.Timestamp(FIRST_DAY) + pd.to_timedelta(day, unit="D")


def _timestamp(moment: Any) -> Any:
    import pandas as pd

    seconds = (moment * 86_400).round().astype("int64")
    return pd.Timestamp(FIRST_DAY) + pd.to_timedelta(seconds, unit="s")
