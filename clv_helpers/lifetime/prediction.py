"""Predicts value in one transaction: counts, fits, validates on a holdout, scores, joins back, logs the forecast."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from clv_helpers import progress
from clv_helpers.config.datasets import EVENT_KEY, LIFETIME_VALUE
from clv_helpers.config.settings import Lifetime
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse, parsed, table
from clv_helpers.engines.session import Session, bound
from clv_helpers.lifetime.baselines import expressions, weights
from clv_helpers.lifetime.contract import MODEL as MODEL_OF_CONTRACTS
from clv_helpers.lifetime.contract import predict_contracts
from clv_helpers.lifetime.counts import DAYS_PER_MONTH, as_histories, log_gaps, read_groups
from clv_helpers.lifetime.covariate_levels import keep_effects, read_levels
from clv_helpers.lifetime.covariates import by_cell
from clv_helpers.lifetime.data_sufficiency import Facts, Inputs, horizon_days, refusals
from clv_helpers.lifetime.diagnostics import about_data, about_fit, about_level, about_model, about_size, about_spend
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.forecast_log import log_forecast
from clv_helpers.lifetime.holdout_validation import validate
from clv_helpers.lifetime.intervals import with_intervals
from clv_helpers.lifetime.intervals_of_totals import bindings as bindings_of_level
from clv_helpers.lifetime.intervals_of_totals import level_spread, past_errors, totals
from clv_helpers.lifetime.lateness import with_absence
from clv_helpers.lifetime.month_shares import month_shares
from clv_helpers.lifetime.plan import plan_months
from clv_helpers.lifetime.records import RECORD, Blend, Fit, FittedOn, LifetimeRecord, Total
from clv_helpers.lifetime.rhythm import (
    OVERDUE,
    SecondPurchase,
    evenness,
    keep_second_purchase,
    kept_second_purchase,
    second_purchase,
    with_rhythm,
)
from clv_helpers.lifetime.scoring import fit_spend, month_curve, phase_shares, score, spend_bindings
from clv_helpers.lifetime.tables import build, load
from clv_helpers.models.table_file import SQL_FOLDER, TableError

if TYPE_CHECKING:
    import pandas as pd

HISTORY, VALUE = "lifetime.customer_history", "lifetime.customer_lifetime_value"
# A fit is kept between scheduled refreshes until this share of its customers have bought since, or a month begins:
# that moves its parameters by less than their standard errors (docs/lifetime.md).
REFIT_SHARE = 0.01
# What is made of the customers' histories; the rest of the schema is of the fit.
MADE_OF_HISTORIES = {
    f"lifetime.{name}"
    for name in ("customer_covariate", "customer_cell",
                 "refunded_day", "customer_history", "data_summary", "customer_forecast", "decile_place", "value_band",
                 "edge_customer", "value_by_decile", "value_by_cohort", "value_at_risk", "forecast_outcome",
                 "customer_last_year")
}  # fmt: skip
OF_GROUPS = ("lifetime.value_by_decile", "lifetime.value_by_cohort", "lifetime.value_at_risk")
LAST_YEAR, YEAR = "lifetime.customer_last_year", 365
KNOWN = """
    SELECT h.*, COALESCE(y.purchases_before, 0) AS purchases_before, COALESCE(y.spend_before, 0) AS spend_before
    FROM lifetime.customer_history AS h
    LEFT JOIN lifetime.customer_last_year AS y ON y.customer_id = h.customer_id
"""
NEWEST = """
    SELECT MAX(CASE WHEN status = 'success' THEN _batch_id END) AS newest,
        COUNT(CASE WHEN status = 'reverted' THEN 1 END) AS reverted
    FROM lake.batches WHERE dataset = 'purchases'
"""
SHARES = """
    SELECT CAST(age_days AS BIGINT) AS age_days, CAST(month AS DATE) AS month, share, CAST($level AS DOUBLE) AS level
    FROM shares
"""
IS_OF_HISTORY = (
    "s.frequency = h.frequency AND s.recency_days = h.recency_days AND s.age_days = h.age_days AND s.cell = h.cell"
)
UNSCORED = f"""
    SELECT DISTINCT h.frequency, h.recency_days, h.age_days, h.cell
    FROM lifetime.customer_history AS h ANTI JOIN lifetime.score AS s ON {IS_OF_HISTORY}
    ORDER BY h.frequency, h.recency_days, h.age_days, h.cell
"""
SCORED = f"""
    SELECT s.* FROM lifetime.score AS s SEMI JOIN lifetime.customer_history AS h ON {IS_OF_HISTORY}
    UNION ALL SELECT * FROM fresh_score
"""


def refresh(workbook: Workbook) -> LifetimeRecord:
    """Bring predicted value up to date, in one transaction, and publish; gives the record that run.json keeps.

    Nothing is computed where neither purchases, as_of, params nor this code changed. Cost: a few passes over the
    customers in the engine; in Python, what the number of distinct histories costs. Raises NothingToCompute where there
    is no purchase yet, TableError for a key that repeats; the last published tables stay as they were.

    Example:
        >>> lifetime.refresh(wb).status
        'predicted'
    """
    with workbook.engine.write(publish=True) as session:
        return refresh_within(session, workbook)


def refresh_within(session: Session, workbook: Workbook, *, keep_fit: bool = False) -> LifetimeRecord:
    """`refresh` in the caller's transaction.

    With `keep_fit` the last fit is kept and its customers are scored anew, where what it was made from has moved
    little (REFIT_SHARE); the record says on what data it was `fitted_on`. The next refresh without it fits anew.
    """
    bindings = workbook.bindings(session)
    settings, made_with = workbook.params.lifetime, _made_with(workbook)
    digest = _digest(session, made_with, bindings["as_of"], bool(settings and settings.covariates))
    last, kept = _read_record(session), f"kept {digest}"
    if last.digest == digest or (keep_fit and last.digest == kept):
        return last
    now = _fitted_on(session, made_with, bindings["as_of"])
    if keep_fit and settings and not settings.contract and _still_fits(session, last, now):
        made = replace(_scored_anew(session, workbook, bindings, settings, last), digest=kept)
    else:
        made = replace(_predict(session, workbook, bindings), digest=digest, fitted_on=now)
    made = replace(made, as_of=str(bindings["as_of"]))
    row = {"as_of": made.as_of, "record": json.dumps(made.as_dict())}
    session.create_table("lifetime.prediction", bound("SELECT $as_of AS as_of, $record AS record", row))
    return made


def record(workbook: Workbook) -> LifetimeRecord:
    """What the last refresh recorded: status, refused, settings, fits, holdout, warnings. Status off before any.

    Example:
        >>> len(lifetime.record(wb).fits) > 0
        True
    """
    with workbook.engine.read() as session:
        return _read_record(session)


def _read_record(session: Session) -> LifetimeRecord:
    """The last record; one that another version of this code wrote counts as none."""
    if not session.has_table("lifetime.prediction"):
        return LifetimeRecord()
    try:
        return RECORD.validate_python(json.loads(session.scalar("SELECT record FROM lifetime.prediction")))
    except ValidationError:
        return LifetimeRecord()


def _predict(session: Session, workbook: Workbook, bindings: dict[str, Any]) -> LifetimeRecord:
    settings, words, few = workbook.params.lifetime, workbook.words, workbook.params.min_cell
    _drop(session, {"lifetime.forecast", VALUE})
    if settings is None:
        _withdraw_values(session)
        return LifetimeRecord()
    bindings = _with_horizon(workbook, settings, bindings)
    levels, of_levels = read_levels(session, bindings, settings, words, few)
    build(session, bindings, "lifetime.data_summary")
    facts = Facts(**session.rows("SELECT * FROM lifetime.data_summary")[0])
    made = LifetimeRecord(
        status="refused",
        refused=refusals(facts, settings.minimum, words, few),
        customers=facts.customers,
        repeaters=facts.repeaters,
        settings=settings,
        levels=levels,
        warnings=[*about_data(facts, words, few), *of_levels],
    )
    if made.refused:
        _withdraw_values(session)
        return made
    inputs = Inputs(session, settings, words, few, bindings, facts, levels)
    if settings.contract:
        made = predict_contracts(
            inputs, made, workbook.run, lambda: _rank(inputs, None, replace(made, model=MODEL_OF_CONTRACTS))
        )
        if made.refused:
            _withdraw_values(session)
        return made
    made = validate(inputs, replace(made, warnings=[*about_size(facts, words, few), *made.warnings]))
    return _value(inputs, made, workbook.run)


def _value(inputs: Inputs, made: LifetimeRecord, run: str) -> LifetimeRecord:
    """Fit on all data, score, join back to the customers, and log the forecast."""
    session, settings, facts, words = inputs.session, inputs.settings, inputs.facts, inputs.words
    progress.step("fitting the model")
    groups = read_groups(session, HISTORY)
    until = facts.as_of - dt.timedelta(days=1)
    histories, gaps = as_histories(groups), log_gaps(session, until)
    fitted = replace(fit(made.model, histories, gaps, levels=made.levels), ahead=made.ahead)
    even = evenness(histories, gaps)
    spend = fit_spend(session, HISTORY, bool(made.spends))
    related = facts.correlation_of_frequency_and_spend
    second = second_purchase(session, until, inputs.horizon_days)
    keep_second_purchase(session, second)
    progress.step(f"valuing each {words.customer}")
    scored, curve, shares = _scored(inputs, groups, fitted, spend, even, second)
    load(session, "lifetime.score", scored)
    made = replace(made, totals=_rank(inputs, spend, made))
    _spread(inputs, fitted, groups, made.totals[0].level_spread)
    log_forecast(session, curve, shares, facts.as_of, made.blend.of(made.model), run)
    build(session, inputs.bindings, "lifetime.forecast_outcome")
    planned = plan_months(inputs, fitted)
    level = about_level(facts, settings, made.totals[1].forecast, words, inputs.min_cell)
    doubts = [
        *about_model(made.model, facts.customers - facts.repeaters, words, inputs.min_cell),
        *about_fit(fitted, words),
        *keep_effects(session, fitted, made.levels, words),
        *(about_fit(spend, words) if spend else ()),
        *about_spend(spend, related, words),
    ]
    return replace(
        made,
        status="predicted",
        fits=[*made.fits, *filter(None, (fitted, spend))],
        evenness=even,
        warnings=[*level, *made.warnings, *doubts, *planned],
        correlation_of_frequency_and_spend=related,
    )


def _scored(
    inputs: Inputs, groups: pd.DataFrame, fitted: Fit, spend: Fit | None, even: float, second: SecondPurchase | None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The histories scored with what this workbook's past says of second purchases, and of who was overdue."""
    scored, curve, shares = scored_histories(groups, inputs.settings, fitted, spend, even, second)
    return with_absence(scored, inputs.session), curve, shares


def scored_histories(
    groups: pd.DataFrame,
    settings: Lifetime,
    fitted: Fit,
    spend: Fit | None,
    even: float,
    second: SecondPurchase | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """All that is told of each history: what to expect, the next purchase, and the bounds; its curves, and phases."""
    import pandas as pd

    parts = []
    for cell, there, rows in by_cell(fitted, groups):
        part = groups.iloc[rows].reset_index(drop=True)
        curve = month_curve(there, part, settings.horizon_months)
        scored = with_rhythm(score(there, part, curve, settings.annual_discount_rate), there, even, second)
        scored = with_intervals(scored, there, spend, settings.horizon_months * DAYS_PER_MONTH)
        parts.append([each.assign(cell=np.int32(cell)) for each in (scored, curve, phase_shares(there, part))])
    scored, curve, shares = (pd.concat(each, ignore_index=True) for each in zip(*parts, strict=True))
    return scored, curve, shares


def _spread(inputs: Inputs, fitted: Fit, groups: pd.DataFrame, level: float) -> None:
    """The forecast's spread over months, which is the model's, and how far off a total may be: for `acquisition`."""
    shares = month_shares(fitted, groups, inputs.facts.as_of, inputs.horizon_days)
    inputs.session.load_frame("shares", shares)
    inputs.session.create_table("lifetime.month_share", bound(SHARES, {"level": level}))


def _rank(inputs: Inputs, spend: Fit | None, made: LifetimeRecord) -> list[Total]:
    """What each customer will bring, the deciles of it, and all together, from the scored histories."""
    session, name, level = inputs.session, made.blend.of(made.model), made.level
    of_spend, of_purchases = (
        past_errors(session, name, measure, inputs.horizon_days, level) for measure in ("spend", "purchases")
    )
    of_spend = of_spend or of_purchases  # of contracts, renewals alone are tried
    bindings = (
        inputs.bindings | spend_bindings(session, HISTORY, spend) | bindings_of_level(level_spread(of_spend, level))
    )
    bindings |= {"margin": inputs.settings.margin, "overdue": OVERDUE}
    bindings |= _of_baseline(inputs, made.blend, bindings)
    build(session, bindings, VALUE, *OF_GROUPS)
    valued = session.count(table(VALUE))
    if valued != inputs.facts.customers:
        raise TableError(f"{VALUE}: {inputs.facts.customers:,} customers have bought, and {valued:,} are given a value")
    return totals(session, of_spend, of_purchases, level)


def _of_baseline(inputs: Inputs, blend: Blend, bindings: dict[str, Any]) -> dict[str, Any]:
    """What the baseline's part in the forecast is built with; its purchases come evenly, and are discounted so."""
    session, settings, facts = inputs.session, inputs.settings, inputs.facts
    year = min(facts.history_days - 1, YEAR)
    found: dict[str, Any] = {
        "leans_on_last_year": blend.baseline == "last_year",
        "last_year_after": facts.as_of - dt.timedelta(days=year + 1),
        "discount": sum(
            (1 + settings.annual_discount_rate) ** (-month / 12) for month in range(1, settings.horizon_months + 1)
        )
        / settings.horizon_months,
    }
    found |= expressions(blend.baseline, inputs.horizon_days, inputs.horizon_days / max(year, 1))
    if not settings.contract:
        build(session, bindings | found, LAST_YEAR)
    known = parsed(KNOWN) if blend.baseline else table(HISTORY)
    return found | weights(session, blend, known, table("lifetime.score"), bindings | found).bindings


def _still_fits(session: Session, last: LifetimeRecord, now: FittedOn) -> bool:
    """Whether a fit may be kept: of the same params and code, the same month, and nearly the same purchases."""
    before = last.fitted_on
    same = (before.made_with, before.reverted, before.as_of[:7]) == (now.made_with, now.reverted, now.as_of[:7])
    if last.status != "predicted" or not same or now.as_of < before.as_of:
        return False
    moved = session.scalar(
        "SELECT COUNT(DISTINCT customer_id) AS n FROM lake.purchases WHERE _batch_id > $batch", batch=before.batch
    )
    return moved <= REFIT_SHARE * last.purchase_fit.customers


def _scored_anew(
    session: Session, workbook: Workbook, bindings: dict[str, Any], settings: Lifetime, last: LifetimeRecord
) -> LifetimeRecord:
    """The customers scored by the last fit. Cost: in Python, what the histories cost that nobody had before."""
    bindings = _with_horizon(workbook, settings, bindings)
    _drop(session, {*session.tables()} - MADE_OF_HISTORIES)
    build(session, bindings, "lifetime.data_summary")
    facts = Facts(**session.rows("SELECT * FROM lifetime.data_summary")[0])
    inputs = Inputs(session, settings, workbook.words, workbook.params.min_cell, bindings, facts)
    groups = session.frame(UNSCORED)
    if len(groups):
        second = kept_second_purchase(session)  # the fit's own, or later histories were judged otherwise
        scored, *_ = _scored(inputs, groups, last.purchase_fit, last.spend_fit, last.evenness, second)
        session.load_frame("fresh_score", scored)
        session.create_table("lifetime.score", parse(SCORED))
    made = replace(last, totals=_rank(inputs, last.spend_fit, last))
    build(session, bindings, "lifetime.forecast_outcome")
    return replace(made, customers=facts.customers, repeaters=facts.repeaters)


def _withdraw_values(session: Session) -> None:
    """Empty an earlier prediction: nobody may act on one that is not made any more. Logged forecasts stay."""
    if session.has_table(VALUE) and set(session.columns(table(VALUE))) != set(LIFETIME_VALUE):
        session.drop(VALUE)  # an earlier version's
    session.create_if_absent(VALUE, dict(LIFETIME_VALUE))
    if session.version(VALUE) is None:  # without one, what reads it would be built each time
        session.set_version(VALUE, "empty")
    if session.count(table(VALUE)):
        session.run("DELETE FROM lifetime.customer_lifetime_value WHERE TRUE")
        session.set_version(VALUE, str(uuid.uuid4()))


def _drop(session: Session, kept: set[str]) -> None:
    """Drop the tables of the schema but for these."""
    for name in session.tables():
        if name.startswith("lifetime.") and name not in kept:
            session.drop(name)


def _with_horizon(workbook: Workbook, settings: Lifetime, bindings: dict[str, Any]) -> dict[str, Any]:
    has_key = EVENT_KEY in workbook.params.contract("purchases")
    return bindings | {"has_event_key": has_key, "horizon_days": horizon_days(settings)}


def _fitted_on(session: Session, made_with: str, as_of: dt.date) -> FittedOn:
    """On which data a fit would be made now."""
    row = session.rows(NEWEST)[0] if session.has_table("lake.batches") else {}
    return FittedOn(str(as_of), row.get("newest") or 0, row.get("reverted") or 0, made_with)


def _made_with(workbook: Workbook) -> str:
    """What a fit is made with: params, and the code."""
    code = [*Path(__file__).parent.glob("*.py"), *(SQL_FOLDER / "lifetime").glob("*.sql")]
    settings = workbook.params.lifetime
    parts = [
        settings.model_dump_json() if settings else "off",
        workbook.words.model_dump_json(),
        *(hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(code)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest(session: Session, made_with: str, as_of: dt.date, has_covariates: bool) -> str:
    """From what the prediction is made: purchases, as_of, params, and the code."""
    made_of = ["derived.customer_value", "derived.customer_day", *(["lake.customers"] if has_covariates else [])]
    versions = (str(session.version(name)) for name in made_of)
    return hashlib.sha256("\n".join([*versions, str(as_of), made_with]).encode()).hexdigest()
