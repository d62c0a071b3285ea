"""Whether there is enough data to predict from, and which part of it is kept back for the proof."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from clv_helpers.config.params import Lifetime, LifetimeGate
from clv_helpers.engines.session import Session

LONGEST_HOLDOUT = 365


@dataclass(frozen=True)
class Facts:
    """What the histories hold in all. Days are counted to as_of."""

    customers: int
    repeaters: int
    with_three_purchases: int
    history_days: int
    quiet_days: int


def read_facts(session: Session) -> Facts:
    """The facts of lifetime.customer_history; all 0 where it is empty."""
    row = session.rows(
        "SELECT COUNT(*) AS customers, "
        "COUNT(CASE WHEN frequency >= 1 THEN 1 END) AS repeaters, "
        "COUNT(CASE WHEN frequency >= 2 THEN 1 END) AS with_three_purchases, "
        "COALESCE(MAX(age_days), 0) AS history_days, "
        "COALESCE(MIN(age_days - recency_days), 0) AS quiet_days FROM lifetime.customer_history"
    )[0]
    return Facts(**row)


def refusals(facts: Facts, gate: LifetimeGate) -> list[str]:
    """Why there can be no prediction: a sentence per reason; none where there is enough."""
    found = []
    if facts.customers < gate.customers:
        found.append(f"{count(facts.customers, 'customer')} bought; {gate.customers:,} are needed")
    if facts.history_days < gate.history_days:
        found.append(f"the purchases go back {count(facts.history_days, 'day')}; {gate.history_days:,} are needed")
    if facts.with_three_purchases < gate.with_three_purchases:
        some = count(facts.with_three_purchases, "customer")
        found.append(f"{some} bought on three days or more; {gate.with_three_purchases:,} must have")
    if facts.quiet_days > gate.quiet_days:
        found.append(f"the last purchase was {count(facts.quiet_days, 'day')} ago; {gate.quiet_days:,} are allowed")
    return found


def calibration_end(settings: Lifetime, facts: Facts, as_of: dt.date) -> dt.date:
    """The last day that the proof's models know: as the params say, or so that a third of the history is kept back.

    At most a year is kept back by default.
    """
    kept_back = min(facts.history_days // 3, LONGEST_HOLDOUT)
    return settings.calibration_end or as_of - dt.timedelta(days=kept_back + 1)


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that fits."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
