"""Spend to come by calendar month: from customers known today, and from those who will come.

Known customers spend what the forecast gives them over the horizon, spread over its months as the fitted model expects
their purchases, at the pace of its season. How many will come is carried on from the months so far by the Theta method
(Assimakopoulos & Nikolopoulos 2000, IJF 16 (4); half of a trend goes on, from a year on; a season from two, where a
test finds one). Each spends on the first day what new customers spent of late, and then buys again as the fitted model
expects of a history that begins.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.config.settings import Words
from clv_helpers.engines.session import bound
from clv_helpers.ingest.retention import first_day
from clv_helpers.lifetime.counts import Array, as_histories
from clv_helpers.lifetime.covariates import by_cell, of_cell
from clv_helpers.lifetime.data_sufficiency import Inputs, count
from clv_helpers.lifetime.fitting import purchase_model
from clv_helpers.lifetime.records import Diagnostic, Fit
from clv_helpers.lifetime.scoring import weeks_ahead
from clv_helpers.lifetime.tables import build

if TYPE_CHECKING:
    import pandas as pd

LEAST_MONTHS = 6  # of new customers, to carry them on
BEGINNING = 2  # whole months in which also those are new to the data who had bought before it began
YEAR = 12
SPENDERS = """
    SELECT h.frequency, h.recency_days, h.age_days, h.cell, COUNT(*) AS customers,
        CAST(SUM(CAST(v.expected_spend AS DECIMAL(18, 4))) AS DOUBLE) AS spend,
        CAST(SUM(CAST(v.expected_purchases * v.expected_spend AS DECIMAL(18, 4))) AS DOUBLE) AS to_come
    FROM lifetime.customer_lifetime_value AS v
    JOIN lifetime.customer_history AS h ON h.customer_id = v.customer_id
    GROUP BY h.frequency, h.recency_days, h.age_days, h.cell
    ORDER BY h.frequency, h.recency_days, h.age_days, h.cell
"""
# Of who bought once, all are given the same: the mean of all who will come back.
SPEND_OF_NEW = """
    SELECT AVG(CAST(v.expected_spend AS DECIMAL(18, 4))) AS mean
    FROM lifetime.customer_lifetime_value AS v
    JOIN lifetime.customer_history AS h ON h.customer_id = v.customer_id
    WHERE h.frequency = (SELECT MIN(frequency) FROM lifetime.customer_history)
"""
CELLS = "SELECT cell, COUNT(*) AS customers FROM lifetime.customer_history GROUP BY cell ORDER BY cell"
AHEAD = "SELECT CAST(month AS DATE) AS month, known, CASE WHEN $is_told THEN new END AS new FROM ahead"


@dataclass(frozen=True)
class Months:
    """The months ahead: `starts` are their first days and the day after the last; `days` those from as_of on."""

    as_of: dt.date
    starts: list[dt.date]

    @classmethod
    def ahead(cls, as_of: dt.date, months: int) -> Months:
        """So many whole months, the first of which begins on as_of or next after it."""
        first = as_of if as_of.day == 1 else _later(as_of, 1)
        return cls(as_of, [_later(first, number) for number in range(months + 1)])

    @property
    def days(self) -> Array:
        """From as_of to each of `starts`."""
        return np.array([(start - self.as_of).days for start in self.starts], dtype=float)

    @property
    def of_arrival(self) -> Array:
        """The periods in which customers come: what is left of this month, where that is a part, and the months."""
        return self.days if self.starts[0] == self.as_of else np.concatenate([[0.0], self.days])


@dataclass(frozen=True)
class Newcomers:
    """How many new customers each month so far had, what they spent on the first day; why they are not carried on."""

    months: list[dt.date]
    customers: Array
    first_spend: float
    refused: str = ""


def plan_months(inputs: Inputs, fitted: Fit) -> list[Diagnostic]:
    """Build lifetime.plan_by_month, and say what limits it. Cost: what expecting each history's months costs.

    lifetime.month_ahead is its half that no SQL makes: a month ahead, spend of known customers and of new ones.
    """
    import pandas as pd

    session, months = inputs.session, Months.ahead(inputs.facts.as_of, inputs.settings.horizon_months)
    build(session, inputs.bindings, "lifetime.month_of_spend", "lifetime.month_of_joining")
    known, level = _of_known(inputs, fitted, months)
    newcomers = _newcomers(inputs)
    new = np.zeros(len(known))
    if not newcomers.refused:
        spend = float(session.scalar(SPEND_OF_NEW) or 0)
        new = _of_all_new(inputs, fitted, months, newcomers, level * spend)
    rows = {"month": months.starts[:-1], "known": known.round(2), "new": new.round(2)}
    session.load_frame("ahead", pd.DataFrame(rows))
    session.create_table("lifetime.month_ahead", bound(AHEAD, {"is_told": not newcomers.refused}))
    build(session, inputs.bindings, "lifetime.plan_by_month")
    return list(_about(newcomers, inputs))


def of_new(fitted: Fit, months: Months, newcomers: Newcomers, repeat_spend: float) -> Array:
    """What those who will come spend in each month ahead: on their first day, and on the days they buy again.

    Within a month they come evenly: as if all in its middle.
    """
    edges, ends = months.of_arrival, months.days
    arrivals = _arrivals(months, newcomers)
    middles = (edges[:-1] + edges[1:]) / 2
    age = np.maximum(weeks_ahead(fitted, ends)[:, None] - weeks_ahead(fitted, middles), 0.0)
    again = np.diff(_purchases_of_new(fitted, age), axis=0) @ arrivals * repeat_spend
    return arrivals[-len(again) :] * newcomers.first_spend + again


def _of_all_new(inputs: Inputs, fitted: Fit, months: Months, newcomers: Newcomers, repeat_spend: float) -> Array:
    """What new customers spend, who come from the cells of covariates as those so far did."""
    cells = inputs.session.rows(CELLS) if any(each.factors for each in fitted.each) else [{"cell": 0, "customers": 1}]
    everyone = sum(row["customers"] for row in cells)
    shares = ((row["customers"] / everyone, of_cell(fitted, row["cell"])) for row in cells)
    parts = [share * of_new(there, months, newcomers, repeat_spend) for share, there in shares]
    return np.sum(parts, axis=0)


def carried_on(customers: Array, months: int) -> Array:
    """How many new customers each of the months ahead will have, by the Theta method; none below 0.

    Of less than a year the mean of the last six months: a trend cannot be told from a season, nor from the end of a
    beginning, in which those who had bought before are new to the data.

    Example:
        >>> carried_on(np.full(12, 80.0), 3).round().tolist()
        [80.0, 80.0, 80.0]
    """
    from statsmodels.tsa.forecasting.theta import ThetaModel

    if len(customers) < YEAR or np.ptp(customers) == 0:
        return np.full(months, customers[-LEAST_MONTHS:].mean())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a search that stops at a bound
        model = ThetaModel(customers, period=YEAR, deseasonalize=len(customers) >= 2 * YEAR)
        return np.maximum(np.asarray(model.fit().forecast(months)), 0.0)


def _of_known(inputs: Inputs, fitted: Fit, months: Months) -> tuple[Array, float]:
    """What known customers spend in each month ahead, and how much more the forecast is than the model's own."""
    groups = inputs.session.frame(SPENDERS)
    ends = [inputs.horizon_days, *months.days]
    found = np.zeros(len(ends))
    for _, there, rows in by_cell(fitted, groups):
        found += _of_cell(there, groups.iloc[rows], ends)
    whole, until = found[0], found[1:]
    level = float(groups["to_come"].sum()) / whole if whole else 1.0
    return level * np.diff(until), level


def _of_cell(fitted: Fit, groups: pd.DataFrame, ends: Sequence[float]) -> Array:
    """What the customers of a cell spend in so many days, by the model alone."""
    histories, model = as_histories(groups), purchase_model(fitted)
    x, recency, age = histories.frequency, histories.recency, histories.age
    there = model.probability_alive(fitted.theta, x, recency, age) * groups["spend"].to_numpy(float)
    pairs, index = np.unique(np.stack([x, age]), axis=1, return_inverse=True)
    shares = model.phase_shares(fitted.theta, x, recency, age)
    spend = [np.bincount(index.ravel(), weights=there * share) for share in shares]  # of who is there, by phase

    def until(days: float) -> float:
        weeks = np.full(pairs.shape[1], weeks_ahead(fitted, days))
        by_phase = (
            model.expected_if_alive(fitted.theta, pairs[0], pairs[1], weeks, phase) for phase in range(len(spend))
        )
        return sum(float(part @ expected) for part, expected in zip(spend, by_phase, strict=True)) if days else 0.0

    return np.array([until(days) for days in ends])


def _purchases_of_new(fitted: Fit, age: Array) -> Array:
    """Purchases expected by so many weeks after the first, the first not among them."""
    model, start = purchase_model(fitted), np.zeros(1)
    alive = float(model.probability_alive(fitted.theta, start, start, start)[0])
    shares = model.phase_shares(fitted.theta, start, start, start)[:, 0]
    weeks = age.ravel()
    start = np.zeros(len(weeks))
    by_phase = (
        share * model.expected_if_alive(fitted.theta, start, start, weeks, phase)
        for phase, share in enumerate(shares)
        if share
    )
    return alive * sum(by_phase, np.zeros(len(weeks))).reshape(age.shape)


def _arrivals(months: Months, newcomers: Newcomers) -> Array:
    """How many come in each period of arrival."""
    periods = len(months.of_arrival) - 1
    arrivals = carried_on(newcomers.customers, periods)
    if periods == len(months.starts):  # the first is what is left of this month
        month = (months.starts[0] - _later(months.starts[0], -1)).days
        arrivals[0] *= months.days[0] / month
    return arrivals


def _newcomers(inputs: Inputs) -> Newcomers:
    """The months whose new customers are carried on: past the beginning of the data, and the last month of nothing."""
    rows = {row["month"]: row for row in inputs.session.rows("SELECT * FROM lifetime.month_of_joining")}
    bought = {row["month"] for row in inputs.session.rows("SELECT month FROM lifetime.month_of_spend")}
    last = _later(inputs.facts.as_of, -1)
    first = inputs.facts.as_of - dt.timedelta(days=inputs.facts.history_days)
    months = [_later(last, -number) for number in reversed(range(_between(first, last)))]  # the first is known in part
    empty = [month for month in months if month not in bought]
    used = (
        months[months.index(empty[-1]) + 1 :] if empty else months[max(min(BEGINNING, len(months) - LEAST_MONTHS), 0) :]
    )
    customers = np.array([float(rows[month]["customers"]) if month in rows else 0.0 for month in used])
    of_late = [rows[month] for month in used[-YEAR:] if month in rows]
    people, spend = (sum(float(row[name]) for row in of_late) for name in ("customers", "spend"))
    return Newcomers(used, customers, spend / people if people else 0.0, _refused(used, empty, spend, inputs.words))


def _refused(used: list[dt.date], empty: list[dt.date], spend: float, words: Words) -> str:
    if len(used) < LEAST_MONTHS:
        since = f" since {empty[-1]:%Y-%m}, a month without {words.purchases}" if empty else ""
        return f"they are known for {count(len(used), 'whole month')}{since}, and {LEAST_MONTHS} are needed"
    return "" if spend > 0 else f"refunds were as much as they spent on their first {words.purchase} day, or more"


def _about(newcomers: Newcomers, inputs: Inputs) -> Iterator[Diagnostic]:
    """Why there is no plan of new customers, months of nothing, and months that gave back more than they took."""
    words = inputs.words
    if newcomers.refused:
        text = f"What new {words.customers} will bring is not told: {newcomers.refused}."
        yield Diagnostic("no_newcomers", text)
    months = inputs.session.rows("SELECT month, customers, spend FROM lifetime.month_of_spend ORDER BY month")
    missing = _between(months[0]["month"], months[-1]["month"]) + 1 - len(months) if months else 0
    if missing:
        text = f"{count(missing, 'month')} so far had no {words.purchases}: "
        yield Diagnostic("months_of_nothing", text + "a month ahead is planned as if that does not come again.")
    below = [row for row in months if row["spend"] < 0 and row["customers"] >= inputs.min_cell]
    if below:
        which = ", ".join(str(row["month"])[:7] for row in below[-3:])
        text = f"In {which} refunds were more than sales: "
        yield Diagnostic("refunds_beyond_sales", text + "the same month a year later has a comparison below zero.")


def _between(first: dt.date, last: dt.date) -> int:
    """How many months the month of the last day is after that of the first."""
    return (last.year - first.year) * YEAR + last.month - first.month


def _later(day: dt.date, months: int) -> dt.date:
    """The first of the month so many months after that of a day."""
    return first_day(day, -months)
