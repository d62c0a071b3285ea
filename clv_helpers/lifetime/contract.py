"""Predicts the value of contracts that customers renew: retention by age, the renewals to come, what they bring."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import percent
from clv_helpers.config.settings import Words
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import bound
from clv_helpers.lifetime.contract_holdout import earlier_forecasts, hold_out
from clv_helpers.lifetime.contract_scoring import month_curve, score
from clv_helpers.lifetime.contract_tables import (
    CONTRACT,
    PERIODS,
    Period,
    make_contracts,
    read_contracts,
    read_gaps,
    read_running,
    share_later,
    shares_of_periods,
)
from clv_helpers.lifetime.counts import Array
from clv_helpers.lifetime.data_sufficiency import Inputs
from clv_helpers.lifetime.diagnostics import about_level
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.forecast_log import LOG_CONTRACTS, log_forecast
from clv_helpers.lifetime.origins import keep
from clv_helpers.lifetime.records import ContractRecord, Diagnostic, Fit, LifetimeRecord, Total
from clv_helpers.lifetime.shifted_beta_geometric import (
    SHIFTED_BETA_GEOMETRIC,
    Contracts,
    residual_renewals,
    retention,
    survival,
)
from clv_helpers.lifetime.tables import build, load

if TYPE_CHECKING:
    import pandas as pd

FORECAST, VALUE = "lifetime.customer_forecast", "lifetime.customer_lifetime_value"
MODEL = SHIFTED_BETA_GEOMETRIC.name
LEAST_SHARE = 0.5  # of the gaps between payments that are a period long: fewer are no contracts' payments
FURTHEST = 12  # renewals that the survival curve shows at least
# The columns of lifetime.customer_forecast, from contracts.
_VALUED = """
    WITH running AS (
        SELECT c.customer_id, c.days_since, c.spend_per_period, s.probability_alive, s.expected_purchases,
            s.probability_purchase, s.discounted_purchases, s.overdue, s.purchases_low, s.purchases_high,
            s.discounted_low, s.discounted_high, s.discounted_spread
        FROM lifetime.customer_contract AS c
        LEFT JOIN lifetime.contract_score AS s ON s.renewals = c.renewals AND s.days_since = c.days_since
        WHERE c.is_last = 1
    ),
    valued AS (
        SELECT
            h.customer_id,
            COALESCE(r.probability_alive, 0) AS probability_alive,
            COALESCE(r.expected_purchases, 0) AS expected_purchases,
            COALESCE(r.probability_purchase, 0) AS probability_purchase,
            r.spend_per_period AS expected_spend,
            COALESCE(r.discounted_purchases, 0) * r.spend_per_period * $margin AS lifetime_value,
            COALESCE(r.purchases_low, 0) AS purchases_low,
            COALESCE(r.purchases_high, 0) AS purchases_high,
            COALESCE(r.discounted_low, 0) * r.spend_per_period * $margin AS lifetime_value_low,
            COALESCE(r.discounted_high, 0) * r.spend_per_period * $margin AS lifetime_value_high,
            COALESCE(r.discounted_spread, 0) * r.spend_per_period * $margin AS lifetime_value_spread,
            h.spend * $margin AS historic_value,
            CAST(ROUND($days) - r.days_since AS INT) - 1 AS due_in_days,
            COALESCE(r.overdue, 1) AS overdue,
            1 - COALESCE(r.probability_purchase, 0) AS probability_no_purchase
        FROM lifetime.customer_history AS h
        JOIN running AS r ON r.customer_id = h.customer_id
    )
    SELECT *,
        CASE WHEN lifetime_value > 0 THEN CAST(FLOOR(LN(lifetime_value) * 500) AS BIGINT) ELSE -1000000 END AS band
    FROM valued
"""
_BY_COHORT = """
    WITH contracts AS (
        SELECT c.*, CAST(DATE_TRUNC('quarter', c.first_on) AS DATE) AS cohort, v.lifetime_value,
            CASE WHEN c.is_lost = 1 THEN 0 ELSE s.residual_purchases * c.spend_per_period END AS renewals_spend
        FROM lifetime.customer_contract AS c
        JOIN lifetime.customer_lifetime_value AS v ON v.customer_id = c.customer_id
        LEFT JOIN lifetime.contract_score AS s ON s.renewals = c.renewals AND s.days_since = c.days_since
        WHERE c.is_last = 1
    )
    SELECT cohort,
        CONCAT(CAST(EXTRACT(YEAR FROM cohort) AS VARCHAR), ' Q', CAST(EXTRACT(QUARTER FROM cohort) AS VARCHAR))
            AS first_quarter,
        COUNT(*) AS customers,
        SUM(1 - is_lost) / CAST(COUNT(*) AS DOUBLE) AS share_running,
        AVG(CAST(renewals AS DOUBLE)) AS renewals_per_customer,
        SUM(lifetime_value) AS lifetime_value,
        SUM(renewals_spend) * $margin AS renewal_value
    FROM contracts
    GROUP BY cohort
"""


def predict_contracts(
    inputs: Inputs, made: LifetimeRecord, run: str, rank: Callable[[], list[Total]]
) -> LifetimeRecord:
    """The record of a prediction of contracts, with the tables of it; refused where renewals tell nothing yet.

    `rank` makes the tables of value that every prediction has, once lifetime.customer_forecast stands.
    Cost: three sorts of the purchase days in the engine; in Python, what the states of running contracts cost.
    """
    session, until = inputs.session, inputs.facts.as_of - dt.timedelta(days=1)
    gaps = read_gaps(session, until)
    period, share, found = _period(inputs, gaps)
    if period is None:
        return replace(made, refused=[_no_period(gaps, inputs.words)])
    make_contracts(session, CONTRACT, period, until)
    contracts, running = read_contracts(session, CONTRACT), read_running(session, CONTRACT)
    about = ContractRecord(period.name, found, share, round(contracts.total), int(running["customers"].sum()))
    made = replace(made, model=MODEL, contract=about)
    if reasons := nothing_to_renew(contracts, running, period):
        return replace(made, refused=reasons)
    return _value(inputs, made, period, run, rank, gaps=gaps, contracts=contracts, running=running)


def _value(
    inputs: Inputs,
    made: LifetimeRecord,
    period: Period,
    run: str,
    rank: Callable[[], list[Total]],
    *,
    gaps: pd.DataFrame,
    contracts: Contracts,
    running: pd.DataFrame,
) -> LifetimeRecord:
    session, settings, facts, words = inputs.session, inputs.settings, inputs.facts, inputs.words
    keep(session, earlier_forecasts(inputs, period), MODEL)
    held, doubts = hold_out(inputs, period)
    fitted, about = fit(MODEL, contracts), made.contract
    later = share_later(gaps, period, running["days_since"].to_numpy(float))
    scored = score(fitted.theta, running, period, later=later, days=inputs.horizon_days,
                   annual_discount_rate=settings.annual_discount_rate)  # fmt: skip
    load(session, "lifetime.contract_score", scored.assign(overdue=1 - later))
    terms = {"margin": settings.margin, "days": period.days}
    session.create_view(FORECAST, bound(_VALUED, terms), version=str(uuid.uuid4()))
    made = replace(made, totals=rank())
    session.create_table("lifetime.contract_cohort", bound(_BY_COHORT, {"margin": settings.margin}))
    load(session, "lifetime.contract_survival", survival_curve(fitted, contracts, inputs.min_cell))
    load(session, "lifetime.contract_age", _by_age(fitted, running, period, settings.annual_discount_rate))
    curve = month_curve(fitted.theta, running, period, later=later, months=settings.horizon_months)
    log_forecast(session, curve, None, facts.as_of, MODEL, run, LOG_CONTRACTS)
    build(session, inputs.bindings, "lifetime.forecast_outcome")
    said = [
        *about_level(facts, settings, made.totals[1].forecast, words, inputs.min_cell),
        *_about_contracts(inputs, made, period, fitted),
        *doubts,
    ]
    return replace(
        made,
        status="predicted",
        fits=[fitted],
        warnings=[*said, *made.warnings],
        contract=replace(about, holdout=held) if about else None,
    )


def nothing_to_renew(contracts: Contracts, running: pd.DataFrame, period: Period) -> list[str]:
    """Why nothing can be told of renewals; empty where something can."""
    came_due = contracts.frequency + contracts.lost
    if not len(came_due) or came_due.max() < 1:
        return [f"no {period.noun} contract has come to a renewal yet (its {period.grace} days of grace included)"]
    if not len(running):
        return [f"no {period.noun} contract runs any more: there is nothing to renew"]
    if not (contracts.customers @ contracts.lost):
        return [f"every {period.noun} contract was renewed each time: nothing tells yet when they end"]
    if came_due.max() < 2:
        return [f"no {period.noun} contract has come to a second renewal: nothing tells yet how retention goes on"]
    return []


def _period(inputs: Inputs, gaps: pd.DataFrame) -> tuple[Period | None, float, bool]:
    """The period that the params name, or the one that most gaps have; with their share."""
    shares, given = shares_of_periods(gaps), inputs.settings.contract
    if isinstance(given, str):
        return PERIODS[given], shares[given], False
    name = max(shares, key=lambda each: shares[each])
    return (PERIODS[name] if shares[name] >= LEAST_SHARE else None), shares[name], True


def _no_period(gaps: pd.DataFrame, words: Words) -> str:
    """Why no period was found."""
    listed = ", ".join(f"{percent(share)} a {name}" for name, share in shares_of_periods(gaps).items())
    return (
        f"the days between two {words.purchases} fit no period of a contract ({listed}, where half of them must); "
        f"lifetime.contract can name it: {', '.join(PERIODS)}"
    )


def survival_curve(fitted: Fit, contracts: Contracts, min_cell: int) -> pd.DataFrame:
    """What share of contracts is renewed so often: as observed (Kaplan & Meier 1958), and by the model, further on.

    One row: a series and a number of renewals, with the retention from the one before, and how many contracts tell it.
    What was observed ends where fewer than `min_cell` contracts came to a renewal.
    """
    import pandas as pd

    came_due, counts = contracts.frequency + contracts.lost, contracts.customers
    numbers: Array = np.arange(1.0, max(int(came_due.max()), FURTHEST) + 1)
    at_risk = np.array([counts @ (came_due >= number) for number in numbers])
    renewed = np.array([counts @ (contracts.frequency >= number) for number in numbers])
    told = int((np.cumsum(at_risk < min_cell) == 0).sum())
    observed = renewed[:told] / np.maximum(at_risk[:told], 1)
    series = {
        "Actual": (observed, np.cumprod(observed), at_risk[:told]),
        fitted.title: (
            retention(fitted.theta, numbers - 1),
            survival(fitted.theta, numbers),
            np.full(len(numbers), contracts.total),
        ),
    }
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "series": name,
                    "series_order": order,
                    "renewal": numbers[: len(kept)].astype(np.int32),
                    "retention": kept,
                    "share_surviving": surviving,
                    "customers": people.astype(np.int64),
                }
            )
            for order, (name, (kept, surviving, people)) in enumerate(series.items(), start=1)
        ],
        ignore_index=True,
    )


def _by_age(fitted: Fit, running: pd.DataFrame, period: Period, annual_discount_rate: float) -> pd.DataFrame:
    """One row: renewals made by contracts that run, how many these are, and what is to come just before the next."""
    ages = running.groupby("renewals", as_index=False)["customers"].sum()
    made = ages["renewals"].to_numpy(int)
    discount = (1 + annual_discount_rate) ** (-period.days / PERIODS["year"].days)
    onward = residual_renewals(fitted.theta, int(made.max()), discount)
    return ages.assign(retention=retention(fitted.theta, made), residual_renewals=onward[made])


def _about_contracts(inputs: Inputs, made: LifetimeRecord, period: Period, fitted: Fit) -> Iterator[Diagnostic]:
    """What was taken for a contract, and for its end."""
    about, words, few = made.contract, inputs.words, inputs.min_cell
    if about is None:
        return
    how = "as the params say" if not about.found else "as the payments tell"
    text = (
        f"Contracts are taken to be {period.noun}, {how}: {percent(about.share)} of the gaps between payments are a "
        f"{period.name}, give or take {period.grace} days. One has ended when nothing was paid for more than "
        f"{period.longest_gap} days."
    )
    yield Diagnostic("contract_period", text)
    returned = about.contracts - inputs.session.count(table(VALUE))
    if returned:
        text = (
            f"After such a gap, {people_text(returned, few)} contracts were taken up again: each counts as a new one, "
            "and whether one that has ended will be is not in the forecast."
        )
        yield Diagnostic("contract_gaps", text)
    if fitted.unidentified:
        text = (
            f"These renewals do not tell {words.customers} apart who are likelier to stay: retention is nearly the "
            f"same at every age, {percent(float(retention(fitted.theta, np.array([0.0]))[0]))}."
        )
        yield Diagnostic("retention_alike", text)
