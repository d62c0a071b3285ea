"""How the forecast of renewals does where the outcome is known, beside the same retention as in the last period."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.charts.show import percent
from clv_helpers.engines.dialect import table
from clv_helpers.lifetime.contract_scoring import ahead, retention_by_age
from clv_helpers.lifetime.contract_tables import (
    CALIBRATION,
    CONTRACT,
    Period,
    last_rate,
    make_contracts,
    read_contracts,
    read_gaps,
    read_running,
    share_later,
)
from clv_helpers.lifetime.counts import Array
from clv_helpers.lifetime.data_sufficiency import Inputs, calibration_end
from clv_helpers.lifetime.diagnostics import CLEARLY, LARGE_BIAS, no_holdout
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.origin_forecasts import DIGITS, Forecast
from clv_helpers.lifetime.origins import windows
from clv_helpers.lifetime.records import TITLES, ContractHoldout, Diagnostic, HoldoutError
from clv_helpers.lifetime.shifted_beta_geometric import SHIFTED_BETA_GEOMETRIC

if TYPE_CHECKING:
    import pandas as pd

SAME_RATE = "Same rate as last"
LATER = "lifetime.contract_later"  # for a while: contracts as known after the days of an earlier forecast
_CAME = """
    SELECT b.renewals, b.days_since, a.renewals - b.renewals AS came, COUNT(*) AS customers
    FROM lifetime.contract_calibration AS b
    JOIN $later AS a ON a.customer_id = b.customer_id AND a.first_on = b.first_on
    WHERE b.is_last = 1 AND b.is_lost = 0
    GROUP BY b.renewals, b.days_since, a.renewals - b.renewals
    ORDER BY b.renewals, b.days_since, came
"""


def hold_out(inputs: Inputs, period: Period) -> tuple[ContractHoldout | None, list[Diagnostic]]:
    """The renewals of contracts that ran at the end of the calibration, forecast and made; and what that puts in doubt.

    Reads lifetime.customer_contract as of now. Cost: two sorts of the purchase days.
    """
    as_of = inputs.facts.as_of
    end = calibration_end(inputs.settings, inputs.facts)
    days = (as_of - end).days - 1
    if days < 1:
        return None, [no_holdout(f"the calibration would end on {end}, after the last day known.")]
    held = _held(inputs, period, end, days, CONTRACT)
    if held is None:
        return None, [no_holdout(f"up to {end}, too few contracts had come to a second renewal, or none had ended.")]
    return held, list(_about(held))


def earlier_forecasts(inputs: Inputs, period: Period) -> list[Forecast]:
    """Renewals as they would have been forecast at earlier cut-offs, and came: from them the total has its width.

    Cost: three sorts of the purchase days for each.
    """
    end, made = inputs.facts.as_of - dt.timedelta(days=1), []
    first = inputs.facts.as_of - dt.timedelta(days=inputs.facts.history_days)
    days, cut_offs = windows(first, end, inputs.horizon_days, inputs.settings.origins)
    for cut_off in cut_offs:
        make_contracts(inputs.session, LATER, period, cut_off + dt.timedelta(days=days))
        held = _held(inputs, period, cut_off, days, LATER)
        if held:
            ours = held.errors[0]
            row = Forecast(end, cut_off, days, SHIFTED_BETA_GEOMETRIC.name, "purchases", held.customers,
                           round(ours.forecast, DIGITS), ours.actual, round(ours.mae, DIGITS), None)  # fmt: skip
            made.append(row)
    for name in (LATER, CALIBRATION):
        if inputs.session.has_table(name):
            inputs.session.drop(name)
    return made


def _held(inputs: Inputs, period: Period, end: dt.date, days: int, later: str) -> ContractHoldout | None:
    """The renewals of the next days of contracts that ran on a day, forecast and made; None where too little was known.

    `later`: the table of contracts as known after these days.
    """
    session = inputs.session
    make_contracts(session, CALIBRATION, period, end)
    contracts, running = read_contracts(session, CALIBRATION), read_running(session, CALIBRATION)
    came_due = contracts.frequency + contracts.lost
    told = len(came_due) and len(running) and came_due.max() >= 2 and contracts.customers @ contracts.lost
    if not told or running["customers"].sum() < inputs.min_cell:
        return None
    forecasts = _forecasts(inputs, period, end, days, running)
    came = session.frame(_CAME, later=table(later)).merge(forecasts, on=["renewals", "days_since"])
    errors = [_error(came, name) for name in (TITLES[SHIFTED_BETA_GEOMETRIC.name], SAME_RATE)]
    return ContractHoldout(str(end), days, int(running["customers"].sum()), errors)


def _forecasts(inputs: Inputs, period: Period, end: dt.date, days: int, running: pd.DataFrame) -> pd.DataFrame:
    """A column per forecast, a row per state of a running contract: renewals within the days of the holdout."""
    session = inputs.session
    fitted = fit(SHIFTED_BETA_GEOMETRIC.name, read_contracts(session, CALIBRATION))
    later = share_later(read_gaps(session, end), period, running["days_since"].to_numpy(float))
    by_age = retention_by_age(fitted.theta, running, period, days)
    return running[["renewals", "days_since"]].assign(**{
        fitted.title: ahead(by_age, running, period, days, later).within(days),
        SAME_RATE: _at_same_rate(last_rate(session, CALIBRATION, period), by_age, running, period, days),
    })  # fmt: skip


def _at_same_rate(rate: float, by_age: Array, running: pd.DataFrame, period: Period, days: int) -> Array:
    """Every renewal that falls due comes at the same rate, whatever the age of the contract."""
    return ahead(np.full_like(by_age, rate), running, period, days, np.ones(len(running))).within(days)


def _error(came: pd.DataFrame, series: str) -> HoldoutError:
    people, off = came["customers"].to_numpy(float), (came[series] - came["came"]).to_numpy(float)
    forecast, actual = float(people @ came[series]), float(people @ came["came"])
    return HoldoutError(
        measure="renewals",
        series=series,
        forecast=forecast,
        actual=actual,
        bias=forecast / actual - 1 if actual else None,
        mae=float(people @ np.abs(off) / people.sum()),
        rmse=float(np.sqrt(people @ off**2 / people.sum())),
    )


def _about(held: ContractHoldout) -> list[Diagnostic]:
    ours, naive = held.errors
    doubts = []
    if ours.bias is not None and abs(ours.bias) > LARGE_BIAS:
        text = (
            f"In the holdout {percent(abs(ours.bias))} too {'many' if ours.bias > 0 else 'few'} renewals were forecast."
        )
        doubts.append(Diagnostic("large_bias", text))
    if naive.rmse < ours.rmse * (1 - CLEARLY):
        text = "In the holdout, the retention of the last period again forecast each contract's renewals better."
        doubts.append(Diagnostic("worse_than_baseline", text))
    return doubts
