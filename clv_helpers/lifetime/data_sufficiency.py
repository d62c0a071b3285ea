"""Whether there is enough data to predict from, and how much of it is the holdout."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import about
from clv_helpers.config.settings import Lifetime, LifetimeGate, Words
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import DAYS_PER_MONTH
from clv_helpers.lifetime.records import Level

SEASON_DAYS = 91
LEAST_HISTORY = 1.9  # holdouts: the calibration is nine tenths as long as the holdout, or longer
FEWEST_REPEATERS = 30  # in a calibration; with fewer, its fit says nothing about the fit on all data


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
    spend: float
    recent_purchases: int
    earlier_customers: int
    earlier_customers_purchases: int
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
    min_cell: int
    bindings: dict[str, Any]
    facts: Facts
    levels: list[Level] = field(default_factory=list)  # of covariates

    @property
    def horizon_days(self) -> int:
        """How far ahead is predicted."""
        return horizon_days(self.settings)


def refusals(facts: Facts, minimum: LifetimeGate, words: Words, min_cell: int) -> list[str]:
    """Why there can be no prediction: a sentence per reason; none where there is enough."""
    reasons = []
    if facts.customers < minimum.customers:
        reasons.append(f"{customers(facts.customers, words, min_cell)} bought; {minimum.customers:,} are needed")
    if facts.history_days < minimum.history_days:
        days = count(facts.history_days, "day")
        reasons.append(f"the {words.purchases} go back {days}; {minimum.history_days:,} are needed")
    if facts.with_three_purchases < minimum.with_three_purchases:
        loyal = customers(facts.with_three_purchases, words, min_cell)
        reasons.append(f"{loyal} bought on three days or more; {minimum.with_three_purchases:,} must have")
    if facts.quiet_days > minimum.quiet_days:
        quiet = count(facts.quiet_days, "day")
        reasons.append(f"the last {words.purchase} was {quiet} ago; {minimum.quiet_days:,} are allowed")
    return reasons or _nothing_to_fit(facts, words, min_cell)


def _nothing_to_fit(facts: Facts, words: Words, min_cell: int) -> list[str]:
    """What no minimum of the params can allow."""
    reasons = []
    if facts.repeaters == 0:
        reasons.append(f"no {words.customer} bought on a second day, so nothing is known of coming back")
    if facts.history_days < SEASON_DAYS:
        days = count(facts.history_days, "day")
        reasons.append(f"the {words.purchases} go back {days}, less than a season ({SEASON_DAYS} days)")
    if facts.spend <= 0:
        spend = about(facts.spend, facts.customers, min_cell, "{:,.2f}".format)
        reasons.append(f"all amounts together are {spend}: nothing was brought that could come again")
    return reasons


def calibration_end(settings: Lifetime, facts: Facts) -> dt.date:
    """The last day of the calibration: as the params say, or a whole horizon before as_of.

    Where the calibration would be much shorter than that holdout, as many whole seasons as leave it about as long.
    """
    days, most = horizon_days(settings), int(facts.history_days / LEAST_HISTORY)
    if days > most:
        days = most - most % SEASON_DAYS or most
    return settings.calibration_end or facts.as_of - dt.timedelta(days=days + 1)


def horizon_days(settings: Lifetime) -> int:
    """The horizon in days, as the last months ahead end."""
    return round(settings.horizon_months * DAYS_PER_MONTH)


def customers(number: int, words: Words, min_cell: int) -> str:
    """A number of customers, as this business calls them; of fewer than `min_cell`, that they are fewer."""
    return f"{people_text(number, min_cell)} {words.customer if number == min_cell == 1 else words.customers}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun, in the plural (with an s, unless given) where that fits."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
