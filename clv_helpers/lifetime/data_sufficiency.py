"""Whether there is enough data to predict from, and how much of it is the holdout."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from clv_helpers.config.params import Lifetime, LifetimeGate, Words
from clv_helpers.engines.session import Session

LONGEST_HOLDOUT = 365


@dataclass(frozen=True)
class Facts:
    """What the data hold in all: the row of lifetime.data_summary. Days are counted to as_of."""

    as_of: dt.date
    customers: int
    repeaters: int
    with_three_purchases: int
    history_days: int
    quiet_days: int
    repeaters_without_spend: int
    refunded_days: int
    refunded_customers: int
    refunds_before_purchase: int
    events_after_as_of: int
    repeated_rows: int
    correlation_of_frequency_and_spend: float | None


@dataclass(frozen=True)
class Inputs:
    """What a prediction is made from: the lake's session, the params and words of the workbook, and the facts."""

    session: Session
    settings: Lifetime
    words: Words
    bindings: dict[str, Any]
    facts: Facts


def refusals(facts: Facts, minimum: LifetimeGate, words: Words) -> list[str]:
    """Why there can be no prediction: a sentence per reason; none where there is enough."""
    reasons = []
    if facts.customers < minimum.customers:
        reasons.append(f"{customers(facts.customers, words)} bought; {minimum.customers:,} are needed")
    if facts.history_days < minimum.history_days:
        days = count(facts.history_days, "day")
        reasons.append(f"the {words.purchases} go back {days}; {minimum.history_days:,} are needed")
    if facts.with_three_purchases < minimum.with_three_purchases:
        loyal = customers(facts.with_three_purchases, words)
        reasons.append(f"{loyal} bought on three days or more; {minimum.with_three_purchases:,} must have")
    if facts.quiet_days > minimum.quiet_days:
        quiet = count(facts.quiet_days, "day")
        reasons.append(f"the last {words.purchase} was {quiet} ago; {minimum.quiet_days:,} are allowed")
    return reasons


def calibration_end(settings: Lifetime, facts: Facts) -> dt.date:
    """The last day of the calibration: as the params say, or so that the holdout is a third of the history.

    At most a year by default.
    """
    holdout_days = min(facts.history_days // 3, LONGEST_HOLDOUT)
    return settings.calibration_end or facts.as_of - dt.timedelta(days=holdout_days + 1)


def customers(number: int, words: Words) -> str:
    """A number of customers, as this business calls them."""
    return count(number, words.customer, words.customers)


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun, in the plural (with an s, unless given) where that fits."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
