"""Who is sent: consent, suppression, cap, control group, duplicates and mandatory attributes, in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlglot import exp

from clv_helpers.activation import ledger
from clv_helpers.config.destinations import STATUS_FIELD, Activation, DestinationParams
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import StageSkipped, Workbook
from clv_helpers.engines.dialect import expression, joined, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.models import refresh_tables

PLAN = """
SELECT
    $campaign AS campaign, $audience AS audience, $destination AS destination, $require_consent AS require_consent,
    $share AS control_share, CAST($messages AS BIGINT) AS cap_messages, CAST($days AS BIGINT) AS cap_days
"""


def decide(workbook: Workbook) -> None:
    """Decide for every planned activation and every customer of its audience, and publish; nothing leaves.

    The waterfall goes to activation.fact_waterfall, a row per step; the difference to the last activation to
    activation.fact_change. Consent and suppression are read from the newest batches, whatever as_of is.
    Raises StageSkipped where the params plan no activation, ParamsError for an audience that does not exist.
    Cost: a few passes over the customers of the planned audiences.

    Example:
        >>> activation.decide(wb)
        >>> set(wb.query("activation.decision")["outcome"]) >= {"sent", "control", "no consent"}
        True
    """
    needs_a_plan(workbook)
    with workbook.engine.write(publish=True) as session:
        decide_within(session, workbook)


def needs_a_plan(workbook: Workbook) -> None:
    """Raise StageSkipped where the params plan no activation."""
    if not workbook.params.activations:
        raise StageSkipped("Stage 5 is skipped: this workbook plans no activation (activations in its params).")


def decide_within(session: Session, workbook: Workbook) -> None:
    """Decide within the caller's transaction, after what consent comes from has been brought up to date."""
    refresh_tables(session, workbook, "derived", "profile")
    _check_names(session, workbook)
    ledger.create_tables(session)
    first, *more = (_planned(workbook, activation) for activation in workbook.params.activations)
    session.create_table("activation.plan", exp.union(first, *more, distinct=False) if more else first)
    refresh_tables(session, workbook, "activation", bindings=_bindings(workbook))


def _bindings(workbook: Workbook) -> dict[str, Any]:
    """What the `$names` of sql/activation stand for."""
    caps = [plan.frequency_cap.days for plan in workbook.params.activations if plan.frequency_cap]
    namespaces = _namespaces(workbook)
    return {
        "longest_cap_days": max(caps, default=0),
        "duplicate_key": _by_destination(workbook, lambda params: _duplicate_key(params, namespaces)),
        "has_mandatory": _by_destination(workbook, _has_mandatory),
        "sent_once": _by_destination(workbook, lambda params: literal(params.mode == "once")),
    }


def _by_destination(workbook: Workbook, value: Callable[[DestinationParams], exp.Expr]) -> exp.Case:
    """What holds at the destination of the row, by its params."""
    cases = exp.Case(this=exp.column("destination", table="e"))
    for name, params in workbook.params.destinations.items():
        cases = cases.when(literal(name), value(params))
    return cases


def _check_names(session: Session, workbook: Workbook) -> None:
    known = [row["audience"] for row in session.rows("SELECT audience FROM audiences.definition ORDER BY audience")]
    fields, namespaces = list(session.columns(table("profile.customer"))), list(_namespaces(workbook))
    asked = [
        (f"activations[{index}].audience", repr(activation.audience), activation.audience, known)
        for index, activation in enumerate(workbook.params.activations)
    ]
    for name, params in workbook.params.destinations.items():
        place, own = f"destinations.{name}", [*fields, STATUS_FIELD]
        asked += [(place, f"a column {field!r}", field, own) for field in dict.fromkeys(params.fields)]
        if params.deduplicate and (identity := params.deduplicate.identity):
            asked.append((f"{place}.deduplicate.identity", repr(identity), identity, namespaces))
    problems = [Problem(place, shown, ", ".join(each)) for place, shown, value, each in asked if value not in each]
    if problems:
        raise ParamsError(str(workbook.file), problems)


def _namespaces(workbook: Workbook) -> dict[str, str]:
    """The identities that a customer's row of the profile holds: namespace → field."""
    columns = {**workbook.params.contract("purchases"), **workbook.params.contract("customers")}
    return {column.identity: name for name, column in columns.items() if column.identity}


def _planned(workbook: Workbook, activation: Activation) -> exp.Query:
    """A planned activation as a row."""
    cap, control = activation.frequency_cap, activation.control
    row = expression(
        PLAN,
        **activation.model_dump(include={"campaign", "audience", "destination"}),
        require_consent=workbook.params.destinations[activation.destination].require_consent,
        share=control.share if control else 0.0,
        messages=cap.messages if cap else None,
        days=cap.days if cap else None,
    )
    return cast(exp.Query, row)


def _duplicate_key(params: DestinationParams, namespaces: dict[str, str]) -> exp.Expression:
    """What may occur once at a destination, as text; NULL where there is none, or the customer lacks a part of it."""
    chosen = params.deduplicate
    if chosen is None:
        return exp.cast(exp.null(), "VARCHAR")
    fields = chosen.attributes or [namespaces[chosen.identity]]
    return joined([exp.Lower(this=_text(field)) for field in fields])


def _has_mandatory(params: DestinationParams) -> exp.Condition:
    """Whether the customer has every attribute that the destination insists on."""
    return exp.and_(exp.true(), *(_text(field).is_(exp.null()).not_() for field in params.mandatory))


def _text(field: str) -> exp.Expression:
    """A field of the profile as text without blanks around it, NULL where there is none."""
    value = exp.column(field, table="p", quoted=True)
    return expression("NULLIF(TRIM(CAST($value AS TEXT)), '')", value=value)
