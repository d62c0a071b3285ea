"""Predicted value in one transaction: counted, fitted, proved on a holdout, scored, joined back, and remembered."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import LIFETIME_VALUE
from clv_helpers.config.params import Lifetime
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import literal, table
from clv_helpers.engines.session import Session
from clv_helpers.lifetime import (
    data_sufficiency as gate,
)
from clv_helpers.lifetime import (
    diagnostics as doubts,
)
from clv_helpers.lifetime import (
    forecast_log as memory,
)
from clv_helpers.lifetime import (
    holdout as proof,
)
from clv_helpers.lifetime import (
    store,
)
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.histories import as_histories, read_groups
from clv_helpers.lifetime.scoring import month_curve, score
from clv_helpers.lifetime.spend import correlation, fit_spend
from clv_helpers.models.table_file import SQL_FOLDER, TableError

HISTORIES = ("lifetime.tenth", "lifetime.refunded_day", "lifetime.customer_history")
VALUES = (
    "lifetime.customer_forecast",
    "lifetime.decile_place",
    "lifetime.value_band",
    "lifetime.edge_customer",
    "lifetime.customer_lifetime_value",
    "lifetime.value_by_decile",
)
OF_CUSTOMERS = "lifetime.customer_lifetime_value"


def refresh(workbook: Workbook) -> dict[str, Any]:
    """Bring predicted value up to date, in one transaction, and publish; gives the record that run.json keeps.

    Its `status` is off, refused (then `refused` says why) or predicted. Nothing is computed where neither purchases,
    as_of, params nor this code changed. Cost: a few passes over the customers in the engine; in Python, what the number
    of distinct histories costs. On an error the last published tables stay as they were.
    """
    with workbook.engine.write(publish=True) as session:
        return refresh_within(session, workbook)


def refresh_within(session: Session, workbook: Workbook) -> dict[str, Any]:
    """`refresh` in the caller's transaction."""
    bindings = workbook.bindings(session)
    digest = _digest(session, workbook, bindings["as_of"])
    kept = _read_record(session)
    if kept["digest"] == digest:
        return kept
    made = {"digest": digest, "as_of": str(bindings["as_of"]), **_predict(session, workbook, bindings)}
    row = exp.select(literal(str(bindings["as_of"])).as_("as_of"), literal(json.dumps(made)).as_("record"))
    session.create_table("lifetime.run", row)
    return made


def record(workbook: Workbook) -> dict[str, Any]:
    """What the last refresh recorded: status, refused, settings, fits, holdout, warnings. Status off before any."""
    with workbook.engine.read() as session:
        return _read_record(session)


def _read_record(session: Session) -> dict[str, Any]:
    if not session.has_table("lifetime.run"):
        return {"digest": "", "status": "off", "refused": [], "fits": [], "holdout": None, "warnings": []}
    return json.loads(session.scalar("SELECT record FROM lifetime.run"))


def _predict(session: Session, workbook: Workbook, bindings: dict[str, Any]) -> dict[str, Any]:
    settings = workbook.params.lifetime
    store.drop(session, keep={"lifetime.forecast", OF_CUSTOMERS})
    made: dict[str, Any] = {"status": "off", "refused": [], "fits": [], "holdout": None, "warnings": []}
    if settings is None:
        _forget_values(session)
        return made
    store.build(session, HISTORIES, bindings)
    facts = gate.read_facts(session)
    has_key = "event_id" in workbook.params.contract("purchases")
    made |= {
        "status": "refused",
        "customers": facts.customers,
        "repeaters": facts.repeaters,
        "settings": settings.model_dump(mode="json"),
        "refused": gate.refusals(facts, settings.minimum),
        "warnings": doubts.about_data(session, bindings, has_key),
    }
    if made["refused"]:
        _forget_values(session)
        return made
    proved = proof.prove(session, settings, facts, bindings)
    made |= {**proved, "warnings": doubts.about_size(facts) + made["warnings"] + proved["warnings"]}
    _value(session, settings, bindings, made, workbook.run)
    return made | {"status": "predicted"}


def _value(session: Session, settings: Lifetime, bindings: dict[str, Any], made: dict[str, Any], run: str) -> None:
    """Fit on all data, score, and join back to the customers; fits and warnings go to what is made."""
    groups = read_groups(session, "lifetime.customer_history")
    fitted = fit(made["model"], as_histories(groups))
    spend, spend_bindings = fit_spend(session, "lifetime.customer_history")
    related = correlation(session)
    made["fits"] += [{"data": "all", **each.as_record()} for each in (fitted, spend) if each]
    made["warnings"] += doubts.about_fit(fitted) + doubts.about_spend(spend, related)
    made["correlation_of_frequency_and_spend"] = related
    curve = month_curve(fitted, groups, settings.horizon_months)
    store.load(session, "lifetime.score", score(fitted, groups, curve, settings.annual_discount_rate))
    store.build(session, VALUES, bindings | spend_bindings | {"margin": settings.margin})
    customers, valued = (session.count(table(name)) for name in ("lifetime.customer_history", OF_CUSTOMERS))
    if customers != valued:
        raise TableError(f"{OF_CUSTOMERS}: {customers:,} customers have bought, and {valued:,} are given a value")
    memory.log_forecast(session, curve, bindings["as_of"], made["model"], run)


def _forget_values(session: Session) -> None:
    """Take back an earlier prediction: nobody may act on one that is not made any more. Forecasts stay."""
    session.create_if_absent(OF_CUSTOMERS, LIFETIME_VALUE)
    if session.count(table(OF_CUSTOMERS)):
        session.create_temporary("loaded", exp.select("*").from_(table(OF_CUSTOMERS)).where(exp.false()))
        session.create_table(OF_CUSTOMERS, exp.select("*").from_("loaded"))


def _digest(session: Session, workbook: Workbook, as_of: dt.date) -> str:
    """From what the prediction is made: purchases, as_of, params, and the code."""
    code = [*Path(__file__).parent.glob("*.py"), *(SQL_FOLDER / "lifetime").glob("*.sql")]
    settings = workbook.params.lifetime
    parts = [
        *(str(session.version(name)) for name in ("derived.customer_value", "derived.customer_day")),
        str(as_of),
        settings.model_dump_json() if settings else "off",
        *(hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(code)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
