"""How the model does where the outcome is known: fitted on the calibration, compared with the days after it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import KEY, Array, as_histories, read_groups
from clv_helpers.lifetime.data_sufficiency import Inputs, calibration_end
from clv_helpers.lifetime.diagnostics import about_holdout
from clv_helpers.lifetime.fitting import PURCHASE_MODELS, fit
from clv_helpers.lifetime.records import BestDecile, Diagnostic, Fit, Holdout, HoldoutError, LifetimeRecord
from clv_helpers.lifetime.scoring import expected_purchases, fit_spend
from clv_helpers.lifetime.tables import build, load

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MODEL = "bg_nbd"
FEWEST_REPEATERS = 30  # in the calibration; with fewer, its fit says nothing about the fit on all data
CALIBRATION = "lifetime.customer_calibration"
ERRORS = (
    "SELECT measure, series, forecast, actual, bias, mae, rmse FROM lifetime.holdout_error "
    "ORDER BY measure, series_order"
)
BEST_DECILE = (
    "SELECT series, share_of_spend, share_captured FROM lifetime.holdout_gain WHERE percent_of_customers = 10 "
    "ORDER BY series_order"
)
COMPARISONS = tuple(f"lifetime.holdout_{name}" for name in ("error", "frequency", "week", "gain", "decile"))


def validate(inputs: Inputs, made: LifetimeRecord) -> LifetimeRecord:
    """Fit on the calibration, forecast the holdout, and compare customer by customer; gives the record with all that.

    Its `model` is the one to go on with: for `auto`, that whose error on the holdout is least. Where there can be no
    holdout, `warnings` says why. Cost: a pass over the days, and sorts of the customers.
    """
    session, settings, words, as_of = inputs.session, inputs.settings, inputs.words, inputs.facts.as_of
    end = calibration_end(settings, inputs.facts)
    days = (as_of - end).days - 1
    calibration_days = inputs.facts.history_days - days - 1
    made = replace(made, model=DEFAULT_MODEL if settings.model == "auto" else settings.model)
    if days < 1 or calibration_days < 1:
        first = as_of - dt.timedelta(days=inputs.facts.history_days)
        text = f"the calibration would end on {end}, and {words.purchases} go from {first} to the day before {as_of}."
        return _without_holdout(made, text)
    year = min(calibration_days, 365)
    bindings = inputs.bindings | {
        "calibration_end": end,
        "year_before": end - dt.timedelta(days=year),
        "holdout_days": days,
        "status_quo_ratio": days / year,
    }
    build(session, bindings, CALIBRATION)
    groups = read_groups(session, CALIBRATION, outcome=True)
    histories = as_histories(groups)
    if histories.repeaters < FEWEST_REPEATERS:
        return _without_holdout(made, f"up to {end}, only {histories.repeaters:.0f} {words.customers} had come back.")
    fits = [fit(name, histories) for name in (PURCHASE_MODELS if settings.model == "auto" else [made.model])]
    errors = {fitted.model: _rmse(groups, expected_purchases(fitted, groups, days)) for fitted in fits}
    best = min(fits, key=lambda fitted: errors[fitted.model])
    spend, spend_bindings = fit_spend(session, CALIBRATION)
    _load_forecasts(session, best, groups, days)
    build(session, bindings | spend_bindings | {"model_title": best.title}, *COMPARISONS)
    holdout = Holdout(
        calibration_end=str(end),
        calibration_days=calibration_days,
        days=days,
        customers=int(groups["customers"].sum()),
        rmse_by_model=errors,
        errors=[HoldoutError(**row) for row in session.rows(ERRORS)],
        best_decile=[BestDecile(**row) for row in session.rows(BEST_DECILE)],
    )
    fits = [replace(fitted, data="calibration") for fitted in (*fits, spend) if fitted]
    warnings = [*made.warnings, *about_holdout(holdout, words)]
    return replace(made, model=best.model, holdout=holdout, fits=fits, warnings=warnings)


def _without_holdout(made: LifetimeRecord, reason: str) -> LifetimeRecord:
    return replace(made, warnings=[*made.warnings, Diagnostic("no_holdout", f"There is no holdout: {reason}")])


def _rmse(groups: pd.DataFrame, forecast: Array) -> float:
    """The root mean squared error over customers, from the groups' sums."""
    squares = groups["customers"] * forecast**2 - 2 * forecast * groups["actual"] + groups["actual_squared"]
    return float(np.sqrt(squares.sum() / groups["customers"].sum()))


def _load_forecasts(session: Session, fitted: Fit, groups: pd.DataFrame, days: int) -> None:
    """lifetime.calibration_score (a row per history) and lifetime.week_forecast (a row per week, added up)."""
    import pandas as pd

    scored = groups[KEY].assign(expected_purchases=expected_purchases(fitted, groups, days))
    load(session, "lifetime.calibration_score", scored)
    customers = groups["customers"].to_numpy(float)
    ends = range(7, days + 1, 7)  # whole weeks
    rate = float((customers * groups["frequency"] / groups["age_days"].clip(lower=1)).sum())
    weeks = {
        "week": np.arange(1, len(ends) + 1, dtype=np.int32),
        "model_purchases": [float(customers @ expected_purchases(fitted, groups, end)) for end in ends],
        "naive_purchases": [rate * end for end in ends],
    }
    load(session, "lifetime.week_forecast", pd.DataFrame(weeks))
