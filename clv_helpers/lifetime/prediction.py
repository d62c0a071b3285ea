"""Predicts value in one transaction: counts, fits, validates on a holdout, scores, joins back, logs the forecast."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clv_helpers.config.datasets import EVENT_KEY, LIFETIME_VALUE
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session, bound
from clv_helpers.lifetime.counts import as_histories, read_groups
from clv_helpers.lifetime.data_sufficiency import Facts, Inputs, horizon_days, refusals
from clv_helpers.lifetime.diagnostics import about_data, about_fit, about_level, about_model, about_size, about_spend
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.forecast_log import log_forecast
from clv_helpers.lifetime.holdout_validation import validate
from clv_helpers.lifetime.records import RECORD, LifetimeRecord
from clv_helpers.lifetime.scoring import fit_spend, month_curve, score
from clv_helpers.lifetime.tables import build, load
from clv_helpers.models.table_file import SQL_FOLDER, TableError

HISTORY, VALUE = "lifetime.customer_history", "lifetime.customer_lifetime_value"


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


def refresh_within(session: Session, workbook: Workbook) -> LifetimeRecord:
    """`refresh` in the caller's transaction."""
    bindings = workbook.bindings(session)
    digest = _digest(session, workbook, bindings["as_of"])
    last = _read_record(session)
    if last.digest == digest:
        return last
    made = replace(_predict(session, workbook, bindings), digest=digest, as_of=str(bindings["as_of"]))
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
    for name in session.tables():
        if name.startswith("lifetime.") and name not in ("lifetime.forecast", VALUE):
            session.drop(name)
    if settings is None:
        _withdraw_values(session)
        return LifetimeRecord()
    has_key = EVENT_KEY in workbook.params.contract("purchases")
    bindings = bindings | {"has_event_key": has_key, "horizon_days": horizon_days(settings)}
    build(session, bindings, "lifetime.data_summary")
    facts = Facts(**session.rows("SELECT * FROM lifetime.data_summary")[0])
    made = LifetimeRecord(
        status="refused",
        refused=refusals(facts, settings.minimum, words, few),
        customers=facts.customers,
        repeaters=facts.repeaters,
        settings=settings,
        warnings=list(about_data(facts, words, few)),
    )
    if made.refused:
        _withdraw_values(session)
        return made
    inputs = Inputs(session, settings, words, few, bindings, facts)
    made = validate(inputs, replace(made, warnings=[*about_size(facts, words, few), *made.warnings]))
    return _value(inputs, made, workbook.run)


def _value(inputs: Inputs, made: LifetimeRecord, run: str) -> LifetimeRecord:
    """Fit on all data, score, join back to the customers, and log the forecast."""
    session, settings, facts, words = inputs.session, inputs.settings, inputs.facts, inputs.words
    groups = read_groups(session, HISTORY)
    fitted = fit(made.model, as_histories(groups))
    spend, spend_bindings = fit_spend(session, HISTORY)
    related = facts.correlation_of_frequency_and_spend
    curve = month_curve(fitted, groups, settings.horizon_months)
    load(session, "lifetime.score", score(fitted, groups, curve, settings.annual_discount_rate))
    build(session, inputs.bindings | spend_bindings | {"margin": settings.margin}, VALUE, "lifetime.value_by_decile")
    valued = session.count(table(VALUE))
    if valued != facts.customers:
        raise TableError(f"{VALUE}: {facts.customers:,} customers have bought, and {valued:,} are given a value")
    log_forecast(session, curve, facts.as_of, made.model, run)
    build(session, inputs.bindings, "lifetime.forecast_outcome")
    forecast = session.scalar("SELECT SUM(expected_purchases) AS purchases FROM lifetime.value_by_decile")
    level = about_level(facts, settings, float(forecast), words, inputs.min_cell)
    doubts = [
        *about_model(made.model, facts.customers - facts.repeaters, words, inputs.min_cell),
        *about_fit(fitted, words),
        *(about_fit(spend, words) if spend else ()),
        *about_spend(spend, related, words),
    ]
    return replace(
        made,
        status="predicted",
        fits=[*made.fits, *filter(None, (fitted, spend))],
        warnings=[*level, *made.warnings, *doubts],
        correlation_of_frequency_and_spend=related,
    )


def _withdraw_values(session: Session) -> None:
    """Empty an earlier prediction: nobody may act on one that is not made any more. Logged forecasts stay."""
    if session.has_table(VALUE) and set(session.columns(table(VALUE))) != set(LIFETIME_VALUE):
        session.drop(VALUE)  # an earlier version's
    session.create_if_absent(VALUE, dict(LIFETIME_VALUE))
    if session.count(table(VALUE)):
        session.run("DELETE FROM lifetime.customer_lifetime_value WHERE TRUE")
        session.set_version(VALUE, str(uuid.uuid4()))


def _digest(session: Session, workbook: Workbook, as_of: dt.date) -> str:
    """From what the prediction is made: purchases, as_of, params, and the code."""
    code = [*Path(__file__).parent.glob("*.py"), *(SQL_FOLDER / "lifetime").glob("*.sql")]
    settings = workbook.params.lifetime
    parts = [
        *(str(session.version(name)) for name in ("derived.customer_value", "derived.customer_day")),
        str(as_of),
        settings.model_dump_json() if settings else "off",
        workbook.words.model_dump_json(),
        *(hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(code)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
