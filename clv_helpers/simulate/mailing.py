"""Twelve simulated campaigns of the airline: who is treated, who is control, what comes back, what three of them add.

The true effect of a campaign is a probability, by value decile, that a member to whom it is delivered takes one flight
more within the four weeks after. One campaign has none.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import numpy as np
import pandas as pd

from clv_helpers.simulate.flights import FIRST_DAY, as_timestamp, fly, with_status

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
# Campaigns that are measured: the probability of one more flight, for deciles 1 to 10.
TRUE_EFFECTS = {
    "card-offer": (0.0,) * 10,
    "double-miles": (0.30, 0.26, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04, 0.02, 0.0),
    "come-back-bonus": (0.16, 0.14, 0.12, 0.08, 0.04, 0.02, 0.0, 0.0, 0.0, 0.0),
}
CONTROL_SHARE = 0.2
EFFECT_DAYS = 27
RESPONSES = {
    "hard_bounce": 0.006, "block": 0.002, "soft_bounce": 0.012, "late_bounce": 0.002, "machine_opening_share": 0.35,
    "open": 0.27, "click_given_open": 0.13, "scanned_share": 0.05, "unsubscribe": 0.003, "complaint": 0.0003,
}  # fmt: skip
MACHINE_USER_AGENT = "Mozilla/5.0"  # what Apple's mail privacy proxy announces itself as, and nothing else
SCANNER_USER_AGENT = "Mozilla/5.0 (compatible; LinkScanner/3.1)"
HUMAN_USER_AGENTS = ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)", "Mozilla/5.0 (Windows NT 10.0; Win64)"]
SHOP = "https://airline.example/"
SECOND = 1 / 86_400


def send_campaigns(
    rng: np.random.Generator, members: pd.DataFrame, truth: pd.DataFrame, flights: pd.DataFrame, days: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Send all campaigns in their order. Who unsubscribed, complained or bounced hard gets no further message.

    Gives all flights, the e-mail events, who was assigned to which arm, and the true effects.
    """
    may_receive = members["email_consent"].to_numpy().copy()
    machine = rng.random(len(members)) < RESPONSES["machine_opening_share"]
    scanned = rng.random(len(members)) < RESPONSES["scanned_share"]
    likes_mail = rng.gamma(4, 1 / 4, len(members))
    parts, assigned, true_effects = [], [], {}
    for index, (campaign, audiences, strength) in enumerate(CAMPAIGNS):
        day = days - 350 + index * 29
        audience = _audience_on(day, members, flights)
        targets = np.flatnonzero(may_receive & np.isin(audience, audiences))
        if campaign in TRUE_EFFECTS:
            decile = _decile_on(day, members, flights)[targets]
            is_control = _in_control(rng, decile)
            arms = pd.DataFrame({"member": targets, "audience": audience[targets], "decile": decile})
            arms["arm"] = np.where(is_control, "control", "treated")
            assigned.append(arms.assign(campaign=campaign, moment=day + 0.3))
            targets = targets[~is_control]
        sends = pd.DataFrame({"member": targets, "campaign": campaign, "audience": audience[targets]})
        sends["message_id"] = [f"{campaign}-{member + 1:07d}" for member in targets]
        opening = np.minimum(RESPONSES["open"] * strength * likes_mail[targets], 0.95)
        events = _responses(rng, sends, day + 0.4, opening, machine[targets], scanned[targets])
        lost = events["event_type"].isin(["unsubscribed", "complained"]) | (events["bounce_type"] == "hard")
        may_receive[events.loc[lost, "member"]] = False
        parts.append(events)
        if campaign in TRUE_EFFECTS:
            delivered = events.loc[events["event_type"] == "delivered", "member"].to_numpy()
            moved = arms[arms["member"].isin(delivered)]
            moved = moved[rng.random(len(moved)) < _probability(campaign, moved["decile"])]
            moments = moved[["member"]].assign(moment=day + 1 + rng.random(len(moved)) * (EFFECT_DAYS - 1))
            flights = with_status(pd.concat([flights, fly(rng, moments, truth)]))
            true_effects[campaign] = _effect(campaign, arms, truth)
    events = pd.concat(parts)
    events = events[events["moment"] < days].sort_values("moment", kind="stable", ignore_index=True)
    events.insert(0, "event_id", [f"E{index:09d}" for index in range(len(events))])
    assignments = _named(pd.concat(assigned, ignore_index=True), members, "assigned_at")
    return flights, _named(events, members, "occurred_at"), assignments, true_effects


def _named(rows: pd.DataFrame, members: pd.DataFrame, time: str) -> pd.DataFrame:
    rows = rows.assign(membership_number=members["membership_number"].to_numpy()[rows["member"]])
    rows[time] = as_timestamp(rows["moment"])
    return rows.drop(columns=["member", "moment", "decile"], errors="ignore")


def _decile_on(day: int, members: pd.DataFrame, flights: pd.DataFrame) -> np.ndarray:
    """The lifetime decile by miles as the workbook ranks it, up to the first of the month; 0 for who had not flown."""
    first = (FIRST_DAY + dt.timedelta(days=day)).replace(day=1)
    before = flights[flights["moment"] < (first - FIRST_DAY).days]
    miles = before.groupby("member")["miles"].sum()
    number = members["membership_number"].to_numpy()[miles.index]
    digest = np.array([hashlib.md5(text.encode()).hexdigest() for text in number])
    order = np.lexsort((digest, -miles.to_numpy()))
    deciles = np.zeros(len(members), dtype=int)
    for decile, places in enumerate(np.array_split(order, 10), 1):
        deciles[miles.index.to_numpy()[places]] = decile
    return deciles


def _in_control(rng: np.random.Generator, decile: np.ndarray) -> np.ndarray:
    """Who is control: by decile, in random order within, every 1/share-th."""
    place = np.empty(len(decile))
    place[np.lexsort((rng.random(len(decile)), decile))] = np.arange(len(decile))
    return np.floor((place + 1) * CONTROL_SHARE) > np.floor(place * CONTROL_SHARE)


def _probability(campaign: str, decile: Any) -> np.ndarray:
    return np.array([0.0, *TRUE_EFFECTS[campaign]])[np.asarray(decile)]


def _effect(campaign: str, arms: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """The true effect in revenue per member assigned, delivered or not: overall and by decile."""
    arrives = 1 - sum(RESPONSES[kind] for kind in ("hard_bounce", "block", "soft_bounce"))
    fare = truth["mean_fare"].to_numpy()[arms["member"]]
    effect = arms.assign(effect=_probability(campaign, arms["decile"]) * fare * arrives)
    return {
        "control_share": CONTROL_SHARE,
        "flight_added_by_decile": list(TRUE_EFFECTS[campaign]),
        "revenue_per_customer": float(effect["effect"].mean()),
        "revenue_per_customer_by_decile": {
            str(decile): float(mean) for decile, mean in effect.groupby("decile")["effect"].mean().items()
        },
    }


def _audience_on(day: float, members: pd.DataFrame, flights: pd.DataFrame) -> np.ndarray:
    before = flights[flights["moment"] < day].groupby("member").last()
    last = before["moment"].reindex(members.index)
    status = before["status"].reindex(members.index)
    new = members["joined_day"] > day - 90
    kinds = [last.isna(), last < day - 180, new, status.isin(["SILVER", "GOLD"])]
    return np.select(kinds, ["Not yet a member", "Lapsed members", "New members", "Silver and Gold"], "Active flyers")


def _responses(
    rng: np.random.Generator,
    sends: pd.DataFrame,
    moment: float,
    opening: np.ndarray,
    machine: np.ndarray,
    scanned: np.ndarray,
) -> pd.DataFrame:
    """The events of one send: one row per event, with `moment` in days."""
    count = len(sends)
    chances = [RESPONSES[kind] for kind in ("hard_bounce", "block", "soft_bounce", "late_bounce")]
    fate = np.searchsorted(np.cumsum(chances), rng.random(count), side="right")
    delivered, accepted = fate >= 3, fate == 4
    opened = accepted & (rng.random(count) < opening)
    opened_at = moment + 0.001 + rng.exponential(0.6, count)
    clicked = opened & (rng.random(count) < RESPONSES["click_given_open"])
    unsubscribed = opened & (rng.random(count) < RESPONSES["unsubscribe"] / opening)
    complained = opened & (rng.random(count) < RESPONSES["complaint"] / opening)
    agent = rng.choice(HUMAN_USER_AGENTS, count)
    arrival = moment + SECOND + rng.random(count) * 0.0005
    offer = SHOP + sends["campaign"].iloc[0] if count else SHOP
    machine_at = arrival + 0.001 + rng.random(count) * 0.2
    scanned_at = arrival + (2 + 6 * rng.random(count)) * SECOND

    def rows(which: np.ndarray, kind: str, at: Any, user_agent: Any = None, **more: str):
        at = np.broadcast_to(at, count)[which]
        user_agent = np.broadcast_to(np.array(user_agent, dtype=object), count)[which]
        blank = dict.fromkeys(("bounce_type", "bounce_code", "url", "ip_class"))
        return sends[which].assign(event_type=kind, moment=at, user_agent=user_agent, **{**blank, **more})

    return pd.concat(
        [
            rows(np.ones(count, bool), "sent", moment),
            rows(delivered, "delivered", arrival),
            rows(fate == 0, "bounced", arrival, bounce_type="hard", bounce_code="5.1.1"),
            rows(fate == 1, "bounced", arrival, bounce_type="block", bounce_code="5.7.1"),
            rows(fate == 2, "bounced", arrival, bounce_type="soft", bounce_code="4.2.2"),
            rows(fate == 3, "bounced", arrival + 0.1, bounce_type="soft", bounce_code="4.4.7"),
            rows(accepted & machine, "opened", machine_at, MACHINE_USER_AGENT, ip_class="privacy proxy"),
            rows(accepted & scanned, "clicked", scanned_at, SCANNER_USER_AGENT, url=offer, ip_class="datacenter"),
            rows(opened, "opened", opened_at, agent),
            rows(clicked, "clicked", opened_at + 0.001, agent, url=offer),
            rows(unsubscribed, "clicked", opened_at + 0.002, agent, url=SHOP + "unsubscribe"),
            rows(unsubscribed, "unsubscribed", opened_at + 0.002 + SECOND, agent),
            rows(complained, "complained", opened_at + 0.003, agent),
        ]
    )
