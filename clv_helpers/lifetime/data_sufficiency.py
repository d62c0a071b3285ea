"""Whether there is enough data to predict from, and how much of it is the holdout."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from clv_helpers.config.params import Lifetime, LifetimeGate, Words
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


def refusals(facts: Facts, minimum: LifetimeGate, words: Words) -> list[str]:
    """Why there can be no prediction: a sentence per reason; none where there is enough."""
    reasons = []
    if facts.customers < minimum.customers:
        bought = count(facts.customers, words.customer, words.customers)
        reasons.append(f"{bought} bought; {minimum.customers:,} are needed")
    if facts.history_days < minimum.history_days:
        days = count(facts.history_days, "day")
        reasons.append(f"the {words.purchases} go back {days}; {minimum.history_days:,} are needed")
    if facts.with_three_purchases < minimum.with_three_purchases:
        loyal = count(facts.with_three_purchases, words.customer, words.customers)
        reasons.append(f"{loyal} bought on three days or more; {minimum.with_three_purchases:,} must have")
    if facts.quiet_days > minimum.quiet_days:
        quiet = count(facts.quiet_days, "day")
        reasons.append(f"the last {words.purchase} was {quiet} ago; {minimum.quiet_days:,} are allowed")
    return reasons


def calibration_end(settings: Lifetime, facts: Facts, as_of: dt.date) -> dt.date:
    """The last day of the calibration: as the params say, or so that the holdout is a third of the history.

    At most a year by default.
    """
    holdout_days = min(facts.history_days // 3, LONGEST_HOLDOUT)
    return settings.calibration_end or as_of - dt.timedelta(days=holdout_days + 1)


def count(number: float, one: str, many: str = "") -> str:
    """A number with its noun, in the plural (with an s, unless given) where that fits."""
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"
