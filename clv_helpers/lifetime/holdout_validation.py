"""How the model does where the outcome is known: fitted on the calibration, compared with the days after it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clv_helpers import progress
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.baselines import Weights, expressions, weights
from clv_helpers.lifetime.counts import IN_CELL, as_histories, log_gaps, read_groups
from clv_helpers.lifetime.covariate_levels import about_use, helped
from clv_helpers.lifetime.data_sufficiency import FEWEST_REPEATERS, Inputs, calibration_end, customers
from clv_helpers.lifetime.diagnostics import about_ahead, about_choice, about_holdout, no_holdout
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.lateness import keep_outcomes
from clv_helpers.lifetime.level import Reach, level
from clv_helpers.lifetime.model_choice import choose, choose_blend
from clv_helpers.lifetime.origins import Origins, forecasts, keep
from clv_helpers.lifetime.records import (
    AVERAGED,
    Ahead,
    BestDecile,
    Blend,
    Fit,
    Holdout,
    HoldoutError,
    LifetimeRecord,
    ProbabilityBand,
)
from clv_helpers.lifetime.scoring import expected_purchases, fit_spend, probability_purchase, spend_bindings
from clv_helpers.lifetime.tables import CALIBRATION, build, load

if TYPE_CHECKING:
    import pandas as pd

ERRORS = (
    "SELECT measure, series, forecast, actual, bias, mae, rmse FROM lifetime.holdout_error "
    "ORDER BY measure, series_order"
)
BEST_DECILE = (
    "SELECT series, share_of_spend, share_captured FROM lifetime.holdout_gain WHERE percent_of_customers = 10 "
    "ORDER BY series_order"
)
BANDS = (
    "SELECT f.band_label, f.customers, f.share_buying AS forecast, a.share_buying AS actual "
    "FROM lifetime.holdout_probability AS f JOIN lifetime.holdout_probability AS a ON a.band = f.band "
    "WHERE f.series_order = 2 AND a.series_order = 1 ORDER BY f.band"
)
COMPARISONS = tuple(
    f"lifetime.holdout_{name}" for name in ("error", "frequency", "week", "gain", "decile", "probability")
)


def validate(inputs: Inputs, made: LifetimeRecord) -> LifetimeRecord:
    """Fit on the calibration, forecast the holdout, and compare customer by customer; gives the record with all that.

    Its `model` is the one to go on with: `auto` chooses it on earlier cut-offs, of which the holdout knows nothing.
    Season, level, spend model and the part of a baseline are read twice: for the holdout from what was known before
    it, and for the forecast from all. Where there can be no holdout, `warnings` says why. Cost: a pass over the days,
    and sorts of the customers.
    """
    session, settings, words, as_of = inputs.session, inputs.settings, inputs.words, inputs.facts.as_of
    end = calibration_end(settings, inputs.facts)
    days = (as_of - end).days - 1
    calibration_days = inputs.facts.history_days - days - 1
    candidates = AVERAGED if settings.model == "auto" else (settings.model,)
    first, last = as_of - dt.timedelta(days=inputs.facts.history_days), as_of - dt.timedelta(days=1)
    progress.step("forecasts from earlier days, and what came of them")
    before, now = (forecasts(inputs, until, candidates) for until in (end, last))
    if settings.model == "auto" and inputs.levels:
        both = choose(before.forecasts), choose(before.without_levels().forecasts)
        made = replace(made, warnings=[*made.warnings, about_use(*both, settings.covariates)])
        if not helped(*both):
            made, before, now = replace(made, levels=[]), before.without_levels(), now.without_levels()
    choice = choose(before.forecasts) if settings.model == "auto" else []
    made = replace(made, model=choice[0].model if choice else candidates[0], choice=choice, seasons=now.seasons)
    keep(session, [*before.forecasts, *now.forecasts], made.model)
    keep_outcomes(session, [each for each in now.late if each.model == made.model])
    blend, spends = choose_blend(now.forecasts, made.model), now.spends if now.of_first else []
    ahead = _ahead(now, made.model, blend, Reach(first, last, inputs.horizon_days))
    made = replace(made, blend=blend, spends=spends, ahead=ahead)
    made = replace(made, warnings=[*made.warnings, *about_choice(made, words), *about_ahead(made, words)])
    if days < 1 or calibration_days < 1:
        text = f"the calibration would end on {end}, and {words.purchases} go from {first} to the day before {as_of}."
        return _without_holdout(made, text)
    progress.step("the holdout")
    bindings = _bindings(inputs, end, days, calibration_days)
    build(session, bindings, CALIBRATION)
    groups = read_groups(session, CALIBRATION)
    histories = as_histories(groups)
    if histories.repeaters < FEWEST_REPEATERS:
        return _without_holdout(
            made, f"up to {end}, only {customers(int(histories.repeaters), words, inputs.min_cell)} had come back."
        )
    fitted = fit(made.model, histories, log_gaps(session, end), levels=made.levels)
    blend = choose_blend(before.forecasts, made.model)
    fitted = replace(fitted, ahead=_ahead(before, made.model, blend, Reach(first, end, days)))
    spend = fit_spend(session, CALIBRATION, before.of_first)
    _load_scores(session, fitted, groups, days)
    bindings |= spend_bindings(session, CALIBRATION, spend) | {"model_title": blend.titled(fitted.title)}
    bindings |= expressions(blend.baseline, days, bindings["status_quo_ratio"])
    parts = weights(session, blend, table(CALIBRATION), table("lifetime.calibration_score"), bindings)
    _load_weeks(session, fitted, groups, days, parts)
    build(session, bindings | parts.bindings, *COMPARISONS)
    holdout = Holdout(
        calibration_end=str(end),
        calibration_days=calibration_days,
        days=days,
        customers=int(groups["customers"].sum()),
        errors=[HoldoutError(**row) for row in session.rows(ERRORS)],
        best_decile=[BestDecile(**row) for row in session.rows(BEST_DECILE)],
        bands=[ProbabilityBand(**row) for row in session.rows(BANDS)],
    )
    fits = [replace(each, data="calibration") for each in (fitted, spend) if each]
    warnings = [*made.warnings, *about_holdout(holdout, inputs.horizon_days, words, inputs.min_cell, made.level)]
    return replace(made, holdout=holdout, fits=fits, warnings=warnings)


def _ahead(known: Origins, model: str, blend: Blend, reach: Reach) -> Ahead | None:
    """The season and the level that earlier cut-offs show; None where they show none.

    A baseline at its own level is no further moved: it was chosen as it is.
    """
    even, first = blend.baseline and not blend.scaled, reach.made_on + dt.timedelta(days=1)
    found = 1.0 if even else level(known.forecasts, known.near, model, reach)
    return Ahead(str(first), known.months, found) if known.months or found != 1 else None


def _bindings(inputs: Inputs, end: dt.date, days: int, calibration_days: int) -> dict[str, Any]:
    """What the tables of the holdout are built with; "last year" is called what it is where history is shorter."""
    year = min(calibration_days, 365)
    return inputs.bindings | {
        "calibration_end": end,
        "year_before": end - dt.timedelta(days=year),
        "holdout_end": end + dt.timedelta(days=days),
        "holdout_days": days,
        "status_quo_ratio": days / year,
        "last_year": "Last year" if year == 365 else f"Last {year} days",
    }


def _without_holdout(made: LifetimeRecord, reason: str) -> LifetimeRecord:
    return replace(made, warnings=[*made.warnings, no_holdout(reason)])


def _load_scores(session: Session, fitted: Fit, groups: pd.DataFrame, days: int) -> None:
    """lifetime.calibration_score: a row per history."""
    scored = groups[IN_CELL].assign(
        expected_purchases=expected_purchases(fitted, groups, days),
        probability_purchase=probability_purchase(fitted, groups, days),
    )
    load(session, "lifetime.calibration_score", scored)


def _load_weeks(session: Session, fitted: Fit, groups: pd.DataFrame, days: int, parts: Weights) -> None:
    """lifetime.week_forecast: a row per week, added up; a baseline's purchases come evenly."""
    import pandas as pd

    customers = groups["customers"].to_numpy(float)
    ends = range(7, days + 1, 7)  # whole weeks
    rate = float((customers * groups["frequency"] / groups["age_days"].clip(lower=1)).sum())
    weeks = {
        "week": np.arange(1, len(ends) + 1, dtype=np.int32),
        "model_purchases": [
            parts.kept * float(customers @ expected_purchases(fitted, groups, end))
            + parts.purchases * parts.baseline_total * end / days
            for end in ends
        ],
        "naive_purchases": [rate * end for end in ends],
    }
    load(session, "lifetime.week_forecast", pd.DataFrame(weeks))
