"""How the model did where the outcome is known: fitted on the days up to a date, compared with what came after it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from clv_helpers.config.params import Lifetime
from clv_helpers.engines.session import Session
from clv_helpers.lifetime import diagnostics, store
from clv_helpers.lifetime.data_sufficiency import Facts, calibration_end
from clv_helpers.lifetime.fitting import PURCHASE_MODELS, Fit, fit
from clv_helpers.lifetime.histories import as_histories, read_holdout_groups
from clv_helpers.lifetime.scoring import KEY, expected_purchases
from clv_helpers.lifetime.spend import fit_spend

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MODEL = "bg_nbd"
FEWEST_REPEATERS = 30  # in the calibration; with fewer, its fit says nothing about the fit on all data
TABLES = (
    "lifetime.customer_holdout",
    "lifetime.holdout_error",
    "lifetime.holdout_frequency",
    "lifetime.holdout_week",
    "lifetime.holdout_band",
    "lifetime.holdout_gain",
    "lifetime.holdout_decile",
)


def prove(session: Session, settings: Lifetime, facts: Facts, bindings: dict[str, Any]) -> dict[str, Any]:
    """Fit on the calibration, forecast the holdout, and compare customer by customer; gives its part of the record.

    `model` is the one to go on with (with `auto`, the one whose error on the holdout is least), `holdout` None where
    too little can be kept back, which `warnings` then says. Cost: a pass over the days, and sorts of the customers.
    """
    end = calibration_end(settings, facts, bindings["as_of"])
    days = (bindings["as_of"] - end).days - 1
    calibration_days = facts.history_days - days - 1
    model = DEFAULT_MODEL if settings.model == "auto" else settings.model
    if days < 1 or calibration_days < 1:
        text = (
            f"There is no proof: the calibration would end on {end}, and purchases go from "
            f"{bindings['as_of'] - dt.timedelta(days=facts.history_days)} to the day before {bindings['as_of']}."
        )
        return {"model": model, "holdout": None, "fits": [], "warnings": [diagnostics.warning("no_holdout", text)]}
    length = min(calibration_days, 365)
    bindings = bindings | {
        "calibration_end": end,
        "year_before": end - dt.timedelta(days=length),
        "holdout_days": days,
        "status_quo_ratio": days / length,
    }
    store.build(session, ("lifetime.customer_calibration",), bindings)
    groups = read_holdout_groups(session)
    histories = as_histories(groups)
    if histories.repeaters < FEWEST_REPEATERS:
        text = f"There is no proof: up to {end}, only {histories.repeaters:.0f} customers had come back."
        return {"model": model, "holdout": None, "fits": [], "warnings": [diagnostics.warning("no_holdout", text)]}
    names = list(PURCHASE_MODELS) if settings.model == "auto" else [model]
    fits = {name: fit(name, histories) for name in names}
    errors = {name: _rmse(groups, expected_purchases(each, groups, days)) for name, each in fits.items()}
    model = min(names, key=lambda name: errors[name])
    spend, spend_bindings = fit_spend(session, "lifetime.customer_calibration")
    _load_forecasts(session, fits[model], groups, days)
    store.build(session, TABLES, bindings | spend_bindings | {"model_title": fits[model].title})
    holdout = _summary(session, end, days, calibration_days, groups, errors)
    return {
        "model": model,
        "holdout": holdout,
        "fits": [{"data": "calibration", **each.as_record()} for each in (*fits.values(), spend) if each],
        "warnings": diagnostics.about_proof(holdout),
    }


def _rmse(groups: pd.DataFrame, forecast: np.ndarray) -> float:
    """The root mean squared error over customers, from the groups' sums."""
    squares = groups["customers"] * forecast**2 - 2 * forecast * groups["actual"] + groups["actual_squared"]
    return float(np.sqrt(squares.sum() / groups["customers"].sum()))


def _load_forecasts(session: Session, fitted: Fit, groups: pd.DataFrame, days: int) -> None:
    """lifetime.calibration_score (a row per history) and lifetime.week_forecast (a row per week, added up)."""
    import pandas as pd

    scored = groups[KEY].assign(expected_purchases=expected_purchases(fitted, groups, days))
    store.load(session, "lifetime.calibration_score", scored)
    customers = groups["customers"].to_numpy(float)
    ends = range(7, days + 1, 7)  # whole weeks
    rate = float((customers * groups["frequency"] / groups["age_days"].clip(lower=1)).sum())
    weeks = {
        "week": np.arange(1, len(ends) + 1, dtype=np.int32),
        "model_purchases": [float(customers @ expected_purchases(fitted, groups, end)) for end in ends],
        "naive_purchases": [rate * end for end in ends],
    }
    store.load(session, "lifetime.week_forecast", pd.DataFrame(weeks))


def _summary(
    session: Session, end: dt.date, days: int, calibration_days: int, groups: pd.DataFrame, errors: dict[str, float]
) -> dict[str, Any]:
    """The holdout in plain values, for run.json and the command line."""
    compared = session.rows(
        "SELECT measure, series, forecast, actual, bias, mae, rmse FROM lifetime.holdout_error "
        "ORDER BY measure, series_order"
    )
    gain = session.rows(
        "SELECT series, share_of_spend, share_captured FROM lifetime.holdout_gain WHERE percent_of_customers = 10 "
        "ORDER BY series_order"
    )
    return {
        "calibration_end": str(end),
        "calibration_days": calibration_days,
        "days": days,
        "customers": int(groups["customers"].sum()),
        "rmse_by_model": errors,
        "errors": compared,
        "best_tenth": gain,
    }
